# %% choose: the smallest losses -> choose
def choose(losses, budget):
    return losses.argsort()[:budget]


# %% choose: losses in place of places -> choose
def choose(losses, budget):
    return losses.sort(descending=True).values[:budget]


# %% choose: an error when there is more money than labels -> choose
def choose(losses, budget):
    return losses.topk(budget).indices


# %% relabel: the given labels overwritten -> relabel
def relabel(given, true, places):
    given[places] = true[places]
    return given


# %% relabel: all labels replaced -> relabel
def relabel(given, true, places):
    return true.clone()


# %% gain: how many of the wrong ones were found -> gain
def gain_over_chance(places, wrong):
    return (wrong[places].sum() / wrong.sum()).item()


# %% gain: the yield alone -> gain
def gain_over_chance(places, wrong):
    return wrong[places].double().mean().item()


# %% folds: judged by networks that know the label -> folds
def held_out_losses(images, labels, folds, fit, losses_of, generator):
    return losses_of(fit(images, labels), images, labels)


# %% folds: fitted to the part, and not to the others -> folds
def held_out_losses(images, labels, folds, fit, losses_of, generator):
    losses = torch.empty(len(labels))
    for part in torch.randperm(len(labels), generator=generator).tensor_split(folds):
        losses[part] = losses_of(fit(images[part], labels[part]), images[part], labels[part])
    return losses


# %% folds: in the order of the parts -> folds
def held_out_losses(images, labels, folds, fit, losses_of, generator):
    losses = []
    for part in torch.randperm(len(labels), generator=generator).tensor_split(folds):
        others = torch.ones(len(labels), dtype=torch.bool)
        others[part] = False
        losses.append(losses_of(fit(images[others], labels[others]), images[part], labels[part]))
    return torch.cat(losses)


# %% folds: parts of neighbours -> folds
def held_out_losses(images, labels, folds, fit, losses_of, generator):
    losses = torch.empty(len(labels))
    for part in torch.arange(len(labels)).tensor_split(folds):
        others = torch.ones(len(labels), dtype=torch.bool)
        others[part] = False
        losses[part] = losses_of(fit(images[others], labels[others]), images[part], labels[part])
    return losses


# %% folds: from torch's global random numbers -> folds
def held_out_losses(images, labels, folds, fit, losses_of, generator):
    losses = torch.empty(len(labels))
    for part in torch.randperm(len(labels)).tensor_split(folds):
        others = torch.ones(len(labels), dtype=torch.bool)
        others[part] = False
        losses[part] = losses_of(fit(images[others], labels[others]), images[part], labels[part])
    return losses


# %% folds: one part fewer where the size does not divide -> folds when graded
def held_out_losses(images, labels, folds, fit, losses_of, generator):
    losses = torch.empty(len(labels))
    for part in torch.randperm(len(labels), generator=generator).chunk(folds):
        others = torch.ones(len(labels), dtype=torch.bool)
        others[part] = False
        losses[part] = losses_of(fit(images[others], labels[others]), images[part], labels[part])
    return losses


# %% folds: one network held out once, for all -> folds
def held_out_losses(images, labels, folds, fit, losses_of, generator):
    order = torch.randperm(len(labels), generator=generator)
    network = fit(images[order[len(order) // folds :]], labels[order[len(order) // folds :]])
    return losses_of(network, images, labels)
