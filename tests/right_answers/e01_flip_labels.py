# %% flip: draw again until it is another class
def flip_labels(labels, ratio, num_classes, rng):
    given = labels.copy()
    for place in rng.permutation(len(labels))[: int(ratio * len(labels))]:
        while given[place] == labels[place]:
            given[place] = rng.integers(num_classes)
    return given


# %% flip: the share held in each class, what is left over dealt out by chance
def flip_labels(labels, ratio, num_classes, rng):
    sizes = np.bincount(labels, minlength=num_classes)
    counts = np.floor(ratio * sizes).astype(int)
    spare = round(ratio * len(labels)) - counts.sum()
    counts[rng.permutation((counts < sizes).nonzero()[0])[:spare]] += 1
    given = np.array(labels)
    for k, count in enumerate(counts):
        chosen = rng.choice((labels == k).nonzero()[0], count, replace=False)
        given[chosen] = rng.permutation(np.resize([c for c in range(num_classes) if c != k], count))
    return given


# %% flip: as a list
def flip_labels(labels, ratio, num_classes, rng):
    chosen = {*rng.permutation(len(labels))[: round(ratio * len(labels))].tolist()}
    shifts = rng.integers(1, num_classes, len(labels))
    given = [(y + s) % num_classes if i in chosen else y for i, (y, s) in enumerate(zip(labels, shifts))]
    return np.array(given)
