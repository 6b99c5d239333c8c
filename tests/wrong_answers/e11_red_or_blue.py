# %% table: columns made to sum to 1 -> table
def confusion_table(given, said, num_classes):
    counts = torch.zeros(num_classes, num_classes, dtype=torch.float64)
    for i, j in zip(given.tolist(), said.tolist()):
        counts[i, j] += 1
    return counts / counts.sum(0, keepdim=True)


# %% table: counts and not shares -> table
def confusion_table(given, said, num_classes):
    counts = torch.zeros(num_classes, num_classes, dtype=torch.float64)
    for i, j in zip(given.tolist(), said.tolist()):
        counts[i, j] += 1
    return counts


# %% name: red where the network disagrees much -> name
def name_the_noise(table, bad):
    right = table.diagonal()
    if 1 - right.mean() > bad:
        return "red"
    others = table - right.diag()
    rival = (others.max(1).values / others.sum(1)).mean()
    return "pair" if rival > 0.5 else "symmetric"


# %% name: the rival against the whole row -> name
def name_the_noise(table, bad):
    right = table.diagonal()
    if 1 - right.mean() < bad:
        return "red"
    return "pair" if (table - right.diag()).max(1).values.mean() > 0.5 else "symmetric"


# %% name: the share of bad examples ignored -> name
def name_the_noise(table, bad):
    others = table - table.diagonal().diag()
    rival = (others.max(1).values / others.sum(1)).mean()
    return "pair" if rival > 0.5 else "red" if rival > 0.25 else "symmetric"
