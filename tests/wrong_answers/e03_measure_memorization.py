# %% memorized: as a share of all labels -> memorized
def memorized(predicted, given, true):
    return ((predicted == given) & (given != true)).double().mean().item()


# %% memorized: agreement with all given labels -> memorized
def memorized(predicted, given, true):
    return (predicted == given).double().mean().item()


# %% memorized: 0 where there is nothing to measure -> memorized
def memorized(predicted, given, true):
    wrong = given != true
    return (predicted == given)[wrong].double().mean().item() if wrong.any() else 0.0


# %% recovered: whatever is not memorized -> recovered
def recovered(predicted, given, true):
    wrong = given != true
    return (predicted != given)[wrong].double().mean().item()


# %% recovered: the accuracy on all examples -> recovered
def recovered(predicted, given, true):
    return (predicted == true).double().mean().item()
