# %% mix: the share given to the partner -> mix
def mix(images, partner, lam):
    own = lam.view(-1, 1, 1, 1)
    return (1 - own) * images + own * images[partner]


# %% mix: one share for the whole batch -> mix
def mix(images, partner, lam):
    return lam[0] * images + (1 - lam[0]) * images[partner]


# %% mix: image by image into what came in -> mix
def mix(images, partner, lam):
    for i in range(len(images)):
        images[i] = lam[i] * images[i] + (1 - lam[i]) * images[partner[i]]
    return images


# %% loss: the own label alone -> loss
def mixed_loss(logits, labels, partner_labels, lam):
    return F.cross_entropy(logits, labels, reduction="none")


# %% loss: the shares exchanged -> loss
def mixed_loss(logits, labels, partner_labels, lam):
    own = F.cross_entropy(logits, labels, reduction="none")
    other = F.cross_entropy(logits, partner_labels, reduction="none")
    return (1 - lam) * own + lam * other


# %% loss: softmax twice -> loss
def mixed_loss(logits, labels, partner_labels, lam):
    own = F.cross_entropy(logits.softmax(1), labels, reduction="none")
    other = F.cross_entropy(logits.softmax(1), partner_labels, reduction="none")
    return lam * own + (1 - lam) * other


# %% alpha: the standard deviation taken for the variance -> alpha
def alpha_for(s):
    return (1 / (4 * s) - 1) / 2


# %% alpha: always 1 -> alpha
def alpha_for(s):
    return 1.0
