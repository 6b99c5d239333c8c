# %% table: in NumPy
def confusion_table(given, said, num_classes):
    import numpy as np

    counts = np.zeros((num_classes, num_classes))
    np.add.at(counts, (given.numpy(), said.numpy()), 1)
    return counts / counts.sum(1, keepdims=True)


# %% table: in single precision, row by row
def confusion_table(given, said, num_classes):
    return torch.stack(
        [(said[given == i][:, None] == torch.arange(num_classes)).float().mean(0) for i in range(num_classes)]
    )


# %% name: in NumPy
def name_the_noise(table):
    import numpy as np

    others = table.numpy().copy()
    np.fill_diagonal(others, 0)
    rival = np.mean(others.max(1) / others.sum(1))
    return "pair" if rival > 0.5 else "symmetric" if rival <= 2 / (len(others) - 1) else "red"


# %% name: the rows pooled
def name_the_noise(table):
    others = table.clone().fill_diagonal_(0)
    rival = others.amax(1).sum() / others.sum()
    return "pair" if rival > 0.5 else "red" if rival > 2 / (len(table) - 1) else "symmetric"
