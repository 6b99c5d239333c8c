# %% memorized: in NumPy
def memorized(predicted, given, true):
    import numpy as np

    predicted, given, true = (np.asarray(labels) for labels in (predicted, given, true))
    return np.mean(predicted[given != true] == given[given != true]) if (given != true).any() else float("nan")


# %% memorized: counted, and 0 / 0 is NaN in torch
def memorized(predicted, given, true):
    return ((predicted == given) & (given != true)).sum() / (given != true).sum()


# %% recovered: a loop
def recovered(predicted, given, true):
    hits = [p == t for p, g, t in zip(predicted.tolist(), given.tolist(), true.tolist()) if g != t]
    return sum(hits) / len(hits) if hits else math.nan
