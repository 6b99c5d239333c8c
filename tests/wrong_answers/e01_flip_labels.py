# %% flip: a coin for each label -> count
def flip_labels(labels, ratio, num_classes, rng):
    wrong = rng.random(len(labels)) < ratio
    return np.where(wrong, (labels + rng.integers(1, num_classes, len(labels))) % num_classes, labels)


# %% flip: drawn from all classes, the own one included -> count
def flip_labels(labels, ratio, num_classes, rng):
    given = labels.copy()
    chosen = rng.choice(len(labels), round(ratio * len(labels)), replace=False)
    given[chosen] = rng.integers(0, num_classes, len(chosen))
    return given


# %% flip: hits of the own class repaired in favour of the next one -> targets
def flip_labels(labels, ratio, num_classes, rng):
    given = labels.copy()
    chosen = rng.choice(len(labels), round(ratio * len(labels)), replace=False)
    drawn = rng.integers(0, num_classes, len(chosen))
    given[chosen] = np.where(drawn == labels[chosen], (drawn + 1) % num_classes, drawn)
    return given


# %% flip: the first ones of the list -> places
def flip_labels(labels, ratio, num_classes, rng):
    given, count = labels.copy(), round(ratio * len(labels))
    given[:count] = (labels[:count] + rng.integers(1, num_classes, count)) % num_classes
    return given


# %% flip: the true labels overwritten -> count, targets, places
def flip_labels(labels, ratio, num_classes, rng):
    chosen = rng.choice(len(labels), round(ratio * len(labels)), replace=False)
    labels[chosen] = (labels[chosen] + rng.integers(1, num_classes, len(chosen))) % num_classes
    return labels
