# %% true-accuracy: in fractions
def true_accuracy(agreement, ratio, num_classes):
    k = num_classes
    return (agreement * (k - 1) - ratio) / ((1 - ratio) * (k - 1) - ratio)


# %% stop: the first place of the best of what was seen
def stopping_epoch(scores, patience):
    for seen in range(1, len(scores) + 1):
        best = scores.index(max(scores[:seen]))
        if seen - 1 - best >= patience:
            return best + 1
    return best + 1


# %% stop: as a tensor, with a counter
def stopping_epoch(scores, patience):
    best, kept, waited = -1.0, 0, 0
    for epoch, score in enumerate(scores, 1):
        best, kept, waited = (score, epoch, 0) if score > best else (best, kept, waited + 1)
        if waited == patience:
            break
    return torch.tensor(kept)
