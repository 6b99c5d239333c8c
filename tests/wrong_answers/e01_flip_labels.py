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


# %% flip: the true labels overwritten -> count, places
def flip_labels(labels, ratio, num_classes, rng):
    chosen = rng.choice(len(labels), round(ratio * len(labels)), replace=False)
    labels[chosen] = (labels[chosen] + rng.integers(1, num_classes, len(chosen))) % num_classes
    return labels


# %% flip: a block of neighbours -> places
def flip_labels(labels, ratio, num_classes, rng):
    given, count = labels.copy(), round(ratio * len(labels))
    chosen = np.arange(count) + rng.integers(0, len(labels) - count + 1)
    given[chosen] = (labels[chosen] + rng.integers(1, num_classes, count)) % num_classes
    return given


# %% flip: a block of neighbours in each class -> places when graded
def flip_labels(labels, ratio, num_classes, rng):
    given, left = labels.copy(), round(ratio * len(labels))
    for k in range(num_classes):
        own = (labels == k).nonzero()[0]
        count = min(left, round(ratio * len(own)), len(own)) if k < num_classes - 1 else min(left, len(own))
        chosen = np.roll(own, rng.integers(0, max(1, len(own))))[:count]
        given[chosen] = (labels[chosen] + rng.integers(1, num_classes, count)) % num_classes
        left -= count
    return given


# %% flip: NumPy's global random numbers -> places
def flip_labels(labels, ratio, num_classes, rng):
    given = labels.copy()
    chosen = np.random.choice(len(labels), round(ratio * len(labels)), replace=False)
    given[chosen] = (labels[chosen] + np.random.randint(1, num_classes, len(chosen))) % num_classes
    return given


# %% flip: places from rng, classes from somewhere else -> places
def flip_labels(labels, ratio, num_classes, rng):
    given = labels.copy()
    chosen = rng.choice(len(labels), round(ratio * len(labels)), replace=False)
    given[chosen] = (labels[chosen] + np.random.randint(1, num_classes, len(chosen))) % num_classes
    return given


# %% flip: the same seed whatever comes in -> places
def flip_labels(labels, ratio, num_classes, rng):
    given, rng = labels.copy(), np.random.default_rng(0)
    chosen = rng.choice(len(labels), round(ratio * len(labels)), replace=False)
    given[chosen] = (labels[chosen] + rng.integers(1, num_classes, len(chosen))) % num_classes
    return given


# %% flip: counted and rounded in each class -> count when graded
def flip_labels(labels, ratio, num_classes, rng):
    given = labels.copy()
    for k in range(num_classes):
        own = (labels == k).nonzero()[0]
        chosen = rng.choice(own, round(ratio * len(own)), replace=False)
        given[chosen] = (labels[chosen] + rng.integers(1, num_classes, len(chosen))) % num_classes
    return given


# %% flip: always to the next class -> targets
def flip_labels(labels, ratio, num_classes, rng):
    given = labels.copy()
    chosen = rng.choice(len(labels), round(ratio * len(labels)), replace=False)
    given[chosen] = (labels[chosen] + 1) % num_classes
    return given


# %% flip: nothing is returned -> count, targets, places
def flip_labels(labels, ratio, num_classes, rng):
    rng.choice(len(labels), round(ratio * len(labels)), replace=False)
