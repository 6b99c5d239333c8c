# %% true-accuracy: luck forgotten -> true-accuracy
def true_accuracy(agreement, ratio, num_classes):
    return agreement / (1 - ratio)


# %% true-accuracy: the own class counted among the wrong ones -> true-accuracy
def true_accuracy(agreement, ratio, num_classes):
    by_chance = ratio / num_classes
    return (agreement - by_chance) / (1 - ratio - by_chance)


# %% stop: the best of all epochs, those after the stop included -> stop
def stopping_epoch(scores, patience):
    return scores.index(max(scores)) + 1


# %% stop: the epoch of the stop and not the best one -> stop
def stopping_epoch(scores, patience):
    best = 0
    for epoch, score in enumerate(scores):
        if score > scores[best]:
            best = epoch
        if epoch - best >= patience:
            return epoch + 1
    return len(scores)


# %% stop: the last of equals -> stop when graded
def stopping_epoch(scores, patience):
    best = 0
    for epoch, score in enumerate(scores):
        if score >= scores[best]:
            best = epoch
        if epoch - best >= patience:
            break
    return best + 1


# %% stop: counted from 0 -> stop
def stopping_epoch(scores, patience):
    best = 0
    for epoch, score in enumerate(scores):
        if score > scores[best]:
            best = epoch
        if epoch - best >= patience:
            break
    return best


# %% stop: a list of epochs -> stop
def stopping_epoch(scores, patience):
    return [epoch + 1 for epoch, score in enumerate(scores) if score == max(scores)]
