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


# %% name: the rival against the whole row -> name
def name_the_noise(table):
    rival = (table - table.diagonal().diag()).max(1).values.mean()
    return "pair" if rival > 0.5 else "red" if rival > 2 / (len(table) - 1) else "symmetric"


# %% name: the even share of ten classes for any number -> name
def name_the_noise(table):
    others = table - table.diagonal().diag()
    rival = (others.max(1).values / others.sum(1)).mean()
    return "pair" if rival > 0.5 else "red" if rival > 2 / 9 else "symmetric"


# %% name: the middle row and not the mean -> name
def name_the_noise(table):
    others = table - table.diagonal().diag()
    rival = (others.max(1).values / others.sum(1)).median()
    return "pair" if rival > 0.5 else "red" if rival > 2 / (len(table) - 1) else "symmetric"


# %% name: pair noise forgotten -> name
def name_the_noise(table):
    others = table - table.diagonal().diag()
    rival = (others.max(1).values / others.sum(1)).mean()
    return "red" if rival > 2 / (len(table) - 1) else "symmetric"


# %% name: pair noise only where the rival has it all -> name
def name_the_noise(table):
    others = table - table.diagonal().diag()
    rival = (others.max(1).values / others.sum(1)).mean()
    return "pair" if rival > 0.9 else "red" if rival > 2 / (len(table) - 1) else "symmetric"


# %% name: the names of the rows -> name
def name_the_noise(table):
    others = table - table.diagonal().diag()
    rivals = others.max(1).values / others.sum(1)
    return np.where(rivals > 0.5, "pair", np.where(rivals > 2 / (len(table) - 1), "red", "symmetric"))
