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
