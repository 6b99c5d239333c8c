# %% matrix: counted at once, in single precision
def count_matrix(true, given, num_classes):
    counts = torch.bincount(true * num_classes + given, minlength=num_classes**2).float().view(num_classes, -1)
    return counts / counts.sum(1, keepdim=True)


# %% matrix: as a product of one-hot labels
def count_matrix(true, given, num_classes):
    rows = F.one_hot(true, num_classes).double()
    return rows.T @ F.one_hot(given, num_classes).double() / rows.sum(0)[:, None]


# %% matrix: in NumPy
def count_matrix(true, given, num_classes):
    import numpy as np

    counts = np.zeros((num_classes, num_classes))
    np.add.at(counts, (true.numpy(), given.numpy()), 1)
    return counts / counts.sum(1, keepdims=True)


# %% shares: by the inverse
def true_shares(given_shares, T):
    return given_shares @ T.inverse()


# %% shares: in NumPy
def true_shares(given_shares, T):
    import numpy as np

    return np.linalg.solve(T.numpy().T, given_shares.numpy())


# %% shares: in single precision
def true_shares(given_shares, T):
    return torch.linalg.solve(T.T.float(), given_shares.float())


# %% loss: by nll_loss
def forward_loss(logits, given, T):
    return F.nll_loss((F.softmax(logits, 1) @ T).log(), given)


# %% loss: in logarithms
def forward_loss(logits, given, T):
    log_p = logits.log_softmax(1)
    return -(log_p + T.log().T[given]).logsumexp(1).mean()


# %% loss: example by example
def forward_loss(logits, given, T):
    return sum(-(row.softmax(0) @ T[:, j]).log() for row, j in zip(logits, given)) / len(given)
