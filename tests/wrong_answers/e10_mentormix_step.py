# %% partners: only the trusted are drawn -> partners
def draw_partners(v, generator):
    return torch.multinomial(v, len(v), replacement=True, generator=generator)


# %% partners: a permutation, as in mixup -> partners
def draw_partners(v, generator):
    return torch.randperm(len(v), generator=generator)


# %% partners: all alike -> partners
def draw_partners(v, generator):
    return torch.randint(0, len(v), (len(v),), generator=generator)


# %% share: the larger one for all -> share
def turn(lam, v):
    return torch.maximum(lam, 1 - lam)


# %% share: trusted and doubtful exchanged -> share
def turn(lam, v):
    return torch.where(v >= 0.5, torch.minimum(lam, 1 - lam), torch.maximum(lam, 1 - lam))


# %% share: one half is doubtful -> share
def turn(lam, v):
    return torch.where(v > 0.5, torch.maximum(lam, 1 - lam), torch.minimum(lam, 1 - lam))


# %% loss: labels are not mixed -> loss
def mentormix_loss(model, images, labels, partner, lam):
    own = lam.view(-1, 1, 1, 1)
    return F.cross_entropy(model(own * images + (1 - own) * images[partner]), labels)


# %% loss: outputs mixed in place of images -> loss
def mentormix_loss(model, images, labels, partner, lam):
    logits = lam[:, None] * model(images) + (1 - lam[:, None]) * model(images[partner])
    losses = [F.cross_entropy(logits, y, reduction="none") for y in (labels, labels[partner])]
    return (lam * losses[0] + (1 - lam) * losses[1]).mean()


# %% loss: the doubtful thrown away all the same -> loss
def mentormix_loss(model, images, labels, partner, lam):
    own = lam.view(-1, 1, 1, 1)
    logits = model(own * images + (1 - own) * images[partner])
    losses = [F.cross_entropy(logits, y, reduction="none") for y in (labels, labels[partner])]
    return (v * (lam * losses[0] + (1 - lam) * losses[1])).mean()


# %% partners: from torch's global random numbers -> partners
def draw_partners(v, generator):
    return torch.multinomial(v.softmax(0), len(v), replacement=True)


# %% partners: each at most once -> partners
def draw_partners(v, generator):
    return torch.multinomial(v.softmax(0), len(v), generator=generator)


# %% partners: one for all -> partners
def draw_partners(v, generator):
    return torch.multinomial(v.softmax(0), 1, generator=generator)


# %% share: blended by the weight, as in the paper -> share
def turn(lam, v):
    larger = torch.maximum(lam, 1 - lam)
    return v * larger + (1 - v) * (1 - larger)


# %% loss: nothing is mixed -> loss
def mentormix_loss(model, images, labels, partner, lam):
    return F.cross_entropy(model(images), labels)


# %% loss: the shares exchanged -> loss
def mentormix_loss(model, images, labels, partner, lam):
    own = lam.view(-1, 1, 1, 1)
    logits = model((1 - own) * images + own * images[partner])
    losses = [F.cross_entropy(logits, y, reduction="none") for y in (labels, labels[partner])]
    return ((1 - lam) * losses[0] + lam * losses[1]).mean()
