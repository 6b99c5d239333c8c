# %% folds: every so-manieth of a random order, and a dictionary
def held_out_losses(images, labels, folds, fit, losses_of, generator):
    order, found = torch.randperm(len(labels), generator=generator).tolist(), {}
    for k in range(folds):
        part, others = order[k::folds], [i for j in range(folds) if j != k for i in order[j::folds]]
        network = fit(images[others], labels[others])
        found |= dict(zip(part, losses_of(network, images[part], labels[part]).tolist()))
    return [found[i] for i in range(len(labels))]


# %% folds: a number of its part for each example, in NumPy
def held_out_losses(images, labels, folds, fit, losses_of, generator):
    import numpy as np

    fold = torch.arange(len(labels))[torch.randperm(len(labels), generator=generator)] % folds
    losses = np.zeros(len(labels))
    for k in range(folds):
        network = fit(images[fold != k], labels[fold != k])
        losses[fold.numpy() == k] = losses_of(network, images[fold == k], labels[fold == k]).numpy()
    return losses


# %% choose: an array that runs backwards
def choose(losses, budget):
    import numpy as np

    return np.argsort(losses.numpy())[::-1][:budget]


# %% choose: topk
def choose(losses, budget):
    return losses.topk(min(budget, len(losses))).indices


# %% choose: a list
def choose(losses, budget):
    return sorted(range(len(losses)), key=lambda i: -losses[i])[:budget]


# %% relabel: where
def relabel(given, true, places):
    return torch.where((torch.arange(len(given))[:, None] == places).any(1), true, given)


# %% relabel: as a list
def relabel(given, true, places):
    checked = set(places.tolist())
    return [true[i].item() if i in checked else given[i].item() for i in range(len(given))]


# %% gain: in single precision, as a tensor
def gain_over_chance(places, wrong):
    return wrong[places].float().mean() / wrong.float().mean()
