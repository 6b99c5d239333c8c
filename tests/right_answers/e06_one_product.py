# %% loop: all gradients by jacrev
def help_by_loop(theta, lr, images, labels, clean_images, clean_labels):
    clean = grad(lambda t: losses_at(t, clean_images, clean_labels).mean())(theta)
    own = torch.func.jacrev(lambda t: losses_at(t, images, labels))(theta)
    return lr * sum((own[name] * clean[name]).flatten(1).sum(1) for name in theta)


# %% loop: a list of tensors
def help_by_loop(theta, lr, images, labels, clean_images, clean_labels):
    clean = grad(lambda t: losses_at(t, clean_images, clean_labels).mean())(theta)
    u = []
    for i in range(len(labels)):
        own = grad(lambda t, i=i: losses_at(t, images[i : i + 1], labels[i : i + 1]).sum())(theta)
        u.append(lr * torch.stack([(own[name] * clean[name]).sum() for name in theta]).sum())
    return u


# %% product: with dual numbers
def help_by_product(theta, lr, images, labels, clean_images, clean_labels):
    from torch.autograd import forward_ad

    clean = grad(lambda t: losses_at(t, clean_images, clean_labels).mean())(theta)
    with forward_ad.dual_level():
        moving = {name: forward_ad.make_dual(p, lr * clean[name]) for name, p in theta.items()}
        return forward_ad.unpack_dual(losses_at(moving, images, labels)).tangent


# %% product: the learning rate after the product
def help_by_product(theta, lr, images, labels, clean_images, clean_labels):
    clean = grad(lambda t: losses_at(t, clean_images, clean_labels).mean())(theta)
    return (lr * jvp(lambda t: losses_at(t, images, labels), (theta,), (clean,))[1]).numpy()
