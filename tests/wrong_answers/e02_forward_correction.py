# %% matrix: columns made to sum to 1 -> matrix
def count_matrix(true, given, num_classes):
    counts = torch.zeros(num_classes, num_classes, dtype=torch.float64)
    for i, j in zip(true.tolist(), given.tolist()):
        counts[i, j] += 1
    return counts / counts.sum(0, keepdim=True)


# %% matrix: rows and columns exchanged -> matrix
def count_matrix(true, given, num_classes):
    counts = torch.zeros(num_classes, num_classes, dtype=torch.float64)
    for i, j in zip(true.tolist(), given.tolist()):
        counts[j, i] += 1
    return counts / counts.sum(1, keepdim=True)


# %% shares: the matrix on the wrong side -> shares
def true_shares(given_shares, T):
    return torch.linalg.solve(T, given_shares)


# %% shares: corrupted once more instead of undone -> shares
def true_shares(given_shares, T):
    return given_shares @ T


# %% loss: the matrix transposed -> loss
def forward_loss(logits, given, T):
    explained = logits.softmax(1) @ T.T
    return -explained.gather(1, given[:, None]).log().mean()


# %% loss: the logarithm before the matrix -> loss
def forward_loss(logits, given, T):
    explained = logits.log_softmax(1) @ T
    return -explained.gather(1, given[:, None]).mean()


# %% loss: out of torch and back, so that nothing can be learned from it -> loss
def forward_loss(logits, given, T):
    p = np.exp(logits.detach().numpy())
    explained = p / p.sum(1, keepdims=True) @ T.numpy()
    return torch.tensor(-np.log(explained[np.arange(len(given)), given]).mean())


# %% loss: in NumPy -> loss
def forward_loss(logits, given, T):
    p = np.exp(logits.numpy())
    explained = p / p.sum(1, keepdims=True) @ T.numpy()
    return -np.log(explained[np.arange(len(given)), given]).mean()


# %% loss: a number in place of a tensor -> loss
def forward_loss(logits, given, T):
    explained = logits.softmax(1) @ T
    return -explained.gather(1, given[:, None]).log().mean().item()
