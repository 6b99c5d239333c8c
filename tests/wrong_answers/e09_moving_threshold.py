# %% threshold: the share to drop taken for the share to keep -> threshold
def next_threshold(gamma, losses, p):
    percentile = losses.quantile(1 - p)
    return percentile if gamma is None else 0.5 * gamma + 0.5 * percentile


# %% threshold: the average starts at 0 -> threshold
def next_threshold(gamma, losses, p):
    return 0.5 * (0.0 if gamma is None else gamma) + 0.5 * losses.quantile(p)


# %% threshold: a threshold of 0 taken for none -> threshold when graded
def next_threshold(gamma, losses, p):
    percentile = losses.quantile(p)
    return 0.5 * gamma + 0.5 * percentile if gamma else percentile


# %% threshold: no memory -> threshold
def next_threshold(gamma, losses, p):
    return losses.quantile(p)


# %% weights: at the threshold counts too -> weights
def weigh(losses, gamma, progress, burn_in=0.1):
    return torch.ones_like(losses) if progress < burn_in else (losses <= gamma).float()


# %% weights: large losses trusted -> weights
def weigh(losses, gamma, progress, burn_in=0.1):
    return torch.ones_like(losses) if progress < burn_in else (losses > gamma).float()


# %% weights: no burn-in -> weights
def weigh(losses, gamma, progress, burn_in=0.1):
    return (losses < gamma).float()


# %% memory: rounded down -> memory
def batches_to_follow(d, share=0.9):
    return math.floor(math.log(1 - share) / math.log(d))


# %% memory: until that share is left of the old -> memory
def batches_to_follow(d, share=0.9):
    return math.ceil(math.log(share) / math.log(d))


# %% threshold: the example at that place, as some programs have it -> threshold
def next_threshold(gamma, losses, p):
    percentile = losses.sort().values[int(p * len(losses))]
    return percentile if gamma is None else 0.5 * gamma + 0.5 * percentile
