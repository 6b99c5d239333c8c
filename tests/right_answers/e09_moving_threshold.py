# %% threshold: the quantile by NumPy
def next_threshold(gamma, losses, p):
    import numpy as np

    percentile = np.quantile(losses.numpy(), p)
    return percentile if gamma is None else (float(gamma) + percentile) / 2


# %% weights: truth values
def weigh(losses, gamma, progress, burn_in=0.1):
    return torch.full_like(losses, True, dtype=torch.bool) if progress < burn_in else losses < gamma


# %% weights: whole numbers
def weigh(losses, gamma, progress, burn_in=0.1):
    return ((losses < gamma) | (progress < burn_in)).long()


# %% weights: in NumPy
def weigh(losses, gamma, progress, burn_in=0.1):
    import numpy as np

    return np.where((losses.numpy() < float(gamma)) | (progress < burn_in), 1.0, 0.0)


# %% weights: a list
def weigh(losses, gamma, progress, burn_in=0.1):
    return [1 if progress < burn_in or loss < gamma else 0 for loss in losses]


# %% memory: by logarithms, as a float
def batches_to_follow(d, share=0.9):
    return float(math.ceil(math.log(1 - share) / math.log(d) - 1e-9))
