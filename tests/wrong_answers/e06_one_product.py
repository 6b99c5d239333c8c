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


# %% product: one gradient for each example, by vmap -> product
def help_by_product(theta, lr, images, labels, clean_images, clean_labels):
    clean = grad(lambda t: losses_at(t, clean_images, clean_labels).mean())(theta)
    one = grad(lambda t, x, y: losses_at(t, x[None], y[None]).sum())
    own = torch.func.vmap(one, in_dims=(None, 0, 0))(theta, images, labels)
    return lr * sum((own[name] * clean[name]).flatten(1).sum(1) for name in theta)


# %% product: differentiated twice backwards -> product
def help_by_product(theta, lr, images, labels, clean_images, clean_labels):
    clean = grad(lambda t: losses_at(t, clean_images, clean_labels).mean())(theta)
    parts = {name: p.clone().requires_grad_() for name, p in theta.items()}
    v = torch.zeros(len(labels), dtype=torch.float64, requires_grad=True)
    slopes = torch.autograd.grad(losses_at(parts, images, labels) @ v, list(parts.values()), create_graph=True)
    return torch.autograd.grad(sum((s * lr * clean[name]).sum() for name, s in zip(parts, slopes)), v)[0]


# %% product: a trial step to either side -> product
def help_by_product(theta, lr, images, labels, clean_images, clean_labels):
    clean = grad(lambda t: losses_at(t, clean_images, clean_labels).mean())(theta)
    there, back = ({name: p + h * lr * clean[name] for name, p in theta.items()} for h in (1e-4, -1e-4))
    return (losses_at(there, images, labels) - losses_at(back, images, labels)) / 2e-4
