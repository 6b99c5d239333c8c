# %% corrupt: one label after the other
def with_wrong_clean_labels(task, ratio, generator):
    given, first, clean = task.given.clone(), len(task.wrong), len(task.clean_labels)
    for place in torch.randperm(clean, generator=generator)[: round(ratio * clean)].tolist():
        others = [k for k in range(task.num_classes) if k != given[first + place]]
        given[first + place] = others[torch.randint(len(others), (), generator=generator)]
    return dataclasses.replace(task, given=given)


# %% corrupt: by chances for each class
def with_wrong_clean_labels(task, ratio, generator):
    labels, count = task.clean_labels.clone(), round(ratio * len(task.clean_labels))
    chosen = torch.multinomial(torch.ones(len(labels)), len(labels), generator=generator)[:count]
    if count:
        chances = 1.0 - torch.nn.functional.one_hot(labels[chosen], task.num_classes)
        labels[chosen] = torch.multinomial(chances, 1, generator=generator).flatten()
    return dataclasses.replace(task, given=torch.cat([task.given_labels, labels]))


# %% share: a dot product, as a tensor
def weight_on_right(weights, wrong):
    return weights @ (~wrong).to(weights.dtype) / weights.sum()


# %% share: in NumPy
def weight_on_right(weights, wrong):
    weights, wrong = weights.numpy(), wrong.numpy()
    return 1 - weights[wrong].sum() / weights.sum()


# %% useless: as a fraction
def useless_ratio(num_classes):
    from fractions import Fraction

    return Fraction(num_classes - 1, num_classes)


# %% useless: one minus the even share
def useless_ratio(num_classes):
    return 1 - 1 / num_classes
