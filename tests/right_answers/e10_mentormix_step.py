# %% partners: looked up in the summed chances, as a NumPy array
def draw_partners(v, generator):
    import numpy as np

    chances = v.double().softmax(0).numpy().cumsum()
    return np.searchsorted(chances, torch.rand(len(v), generator=generator, dtype=torch.float64).numpy() * chances[-1])


# %% partners: a list
def draw_partners(v, generator):
    return torch.multinomial(v.exp(), len(v), replacement=True, generator=generator).tolist()


# %% share: the larger, or what is left of it
def turn(lam, v):
    return (0.5 - (lam - 0.5).abs()) + (v >= 0.5) * 2 * (lam - 0.5).abs()


# %% share: a list
def turn(lam, v):
    return [max(a, 1 - a) if w >= 0.5 else min(a, 1 - a) for a, w in zip(lam.tolist(), v.tolist())]


# %% loss: against soft labels
def mentormix_loss(model, images, labels, partner, lam):
    own = lam[:, None, None, None]
    logits = model(images[partner].lerp(images, own))
    one, two = (F.one_hot(y, logits.shape[1]) for y in (labels, labels[partner]))
    return F.cross_entropy(logits, lam[:, None] * one + (1 - lam[:, None]) * two)


# %% loss: as a float
def mentormix_loss(model, images, labels, partner, lam):
    own = lam.view(-1, 1, 1, 1)
    log_p = model(own * images + (1 - own) * images[partner]).log_softmax(1)
    places = torch.arange(len(labels))
    return -(lam * log_p[places, labels] + (1 - lam) * log_p[places, labels[partner]]).mean().item()
