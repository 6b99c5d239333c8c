# %% mix: einsum in NumPy
def mix(images, partner, lam):
    import numpy as np

    images, partner, lam = (np.asarray(t) for t in (images, partner, lam))
    return np.einsum("b,bchw->bchw", lam, images) + np.einsum("b,bchw->bchw", 1 - lam, images[partner])


# %% mix: a list of images
def mix(images, partner, lam):
    return torch.stack([a * images[i] + (1 - a) * images[j] for i, (j, a) in enumerate(zip(partner, lam))])


# %% loss: against soft labels
def mixed_loss(logits, labels, partner_labels, lam):
    one, two = (F.one_hot(y, logits.shape[1]) for y in (labels, partner_labels))
    return F.cross_entropy(logits, lam[:, None] * one + (1 - lam[:, None]) * two, reduction="none")


# %% loss: a list of losses
def mixed_loss(logits, labels, partner_labels, lam):
    log_p = logits.log_softmax(1)
    return [-a * row[y] - (1 - a) * row[z] for row, y, z, a in zip(log_p, labels, partner_labels, lam)]


# %% alpha: solved otherwise
def alpha_for(s):
    return 1 / (8 * s**2) - 0.5
