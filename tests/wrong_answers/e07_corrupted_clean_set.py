# %% corrupt: drawn from all classes, the own one included -> corrupt
def with_wrong_clean_labels(task, ratio, generator):
    given, first, count = task.given.clone(), len(task.wrong), round(ratio * len(task.clean_labels))
    chosen = first + torch.randperm(len(task.clean_labels), generator=generator)[:count]
    given[chosen] = torch.randint(0, task.num_classes, (count,), generator=generator)
    return dataclasses.replace(task, given=given)


# %% corrupt: anywhere in the task -> corrupt
def with_wrong_clean_labels(task, ratio, generator):
    given, count = task.given.clone(), round(ratio * len(task.clean_labels))
    chosen = torch.randperm(len(given), generator=generator)[:count]
    given[chosen] = (given[chosen] + torch.randint(1, 10, (count,), generator=generator)) % 10
    return dataclasses.replace(task, given=given)


# %% corrupt: the first ones, whatever the seed -> corrupt
def with_wrong_clean_labels(task, ratio, generator):
    given, first, count = task.given.clone(), len(task.wrong), round(ratio * len(task.clean_labels))
    given[first : first + count] = (given[first : first + count] + 1) % task.num_classes
    return dataclasses.replace(task, given=given)


# %% share: examples counted and not their weight -> share
def weight_on_right(weights, wrong):
    return (weights[~wrong] > 0).double().mean().item()


# %% share: mean weights compared -> share
def weight_on_right(weights, wrong):
    return (weights[~wrong].mean() / (weights[~wrong].mean() + weights[wrong].mean())).item()


# %% useless: when every label is wrong -> useless
def useless_ratio(num_classes):
    return 1.0


# %% useless: one half, as with two classes -> useless
def useless_ratio(num_classes):
    return 0.5


# %% corrupt: always the next class -> corrupt
def with_wrong_clean_labels(task, ratio, generator):
    given, first, count = task.given.clone(), len(task.wrong), round(ratio * len(task.clean_labels))
    chosen = first + torch.randperm(len(task.clean_labels), generator=generator)[:count]
    given[chosen] = (given[chosen] + 1) % task.num_classes
    return dataclasses.replace(task, given=given)


# %% corrupt: NumPy's global random numbers -> corrupt
def with_wrong_clean_labels(task, ratio, generator):
    import numpy as np

    given, first, count = task.given.clone(), len(task.wrong), round(ratio * len(task.clean_labels))
    chosen = first + torch.from_numpy(np.random.permutation(len(task.clean_labels))[:count])
    given[chosen] = (given[chosen] + torch.from_numpy(np.random.randint(1, 10, count))) % task.num_classes
    return dataclasses.replace(task, given=given)


# %% corrupt: the next class twice as often -> corrupt when graded
def with_wrong_clean_labels(task, ratio, generator):
    given, first, count = task.given.clone(), len(task.wrong), round(ratio * len(task.clean_labels))
    chosen = first + torch.randperm(len(task.clean_labels), generator=generator)[:count]
    shift = torch.randint(0, task.num_classes, (count,), generator=generator).clamp(min=1)
    given[chosen] = (given[chosen] + shift) % task.num_classes
    return dataclasses.replace(task, given=given)


# %% corrupt: labels in place of a task -> corrupt
def with_wrong_clean_labels(task, ratio, generator):
    given, first, count = task.given.clone(), len(task.wrong), round(ratio * len(task.clean_labels))
    chosen = first + torch.randperm(len(task.clean_labels), generator=generator)[:count]
    given[chosen] = (given[chosen] + torch.randint(1, 10, (count,), generator=generator)) % task.num_classes
    return given


# %% useless: what is left by chance -> useless
def useless_ratio(num_classes):
    return 1 / num_classes
