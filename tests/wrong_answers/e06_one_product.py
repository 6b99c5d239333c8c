# %% loop: the learning rate forgotten -> loop
def help_by_loop(theta, lr, images, labels, clean_images, clean_labels):
    clean = grad(lambda t: losses_at(t, clean_images, clean_labels).mean())(theta)
    own = [
        grad(lambda t, i=i: losses_at(t, images[i : i + 1], labels[i : i + 1]).sum())(theta) for i in range(len(labels))
    ]
    return torch.stack([sum((g[name] * clean[name]).sum() for name in theta) for g in own])


# %% loop: the clean losses added up and not averaged -> loop
def help_by_loop(theta, lr, images, labels, clean_images, clean_labels):
    clean = grad(lambda t: losses_at(t, clean_images, clean_labels).sum())(theta)
    own = [
        grad(lambda t, i=i: losses_at(t, images[i : i + 1], labels[i : i + 1]).sum())(theta) for i in range(len(labels))
    ]
    return lr * torch.stack([sum((g[name] * clean[name]).sum() for name in theta) for g in own])


# %% product: the losses themselves, the first of the two results -> product
def help_by_product(theta, lr, images, labels, clean_images, clean_labels):
    clean = grad(lambda t: losses_at(t, clean_images, clean_labels).mean())(theta)
    direction = {name: lr * g for name, g in clean.items()}
    return jvp(lambda t: losses_at(t, images, labels), (theta,), (direction,))[0]


# %% product: along the way that the step goes, so that the sign is turned -> product
def help_by_product(theta, lr, images, labels, clean_images, clean_labels):
    clean = grad(lambda t: losses_at(t, clean_images, clean_labels).mean())(theta)
    direction = {name: -lr * g for name, g in clean.items()}
    return jvp(lambda t: losses_at(t, images, labels), (theta,), (direction,))[1]


# %% product: the loop once more -> product
def help_by_product(theta, lr, images, labels, clean_images, clean_labels):
    return help_by_loop(theta, lr, images, labels, clean_images, clean_labels)


# %% product: one gradient for the whole batch -> product
def help_by_product(theta, lr, images, labels, clean_images, clean_labels):
    clean = grad(lambda t: losses_at(t, clean_images, clean_labels).mean())(theta)
    noisy = grad(lambda t: losses_at(t, images, labels).mean())(theta)
    return lr * sum((clean[name] * noisy[name]).sum() for name in theta).expand(len(labels))
