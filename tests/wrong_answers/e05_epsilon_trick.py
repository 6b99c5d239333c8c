# %% help: the sign forgotten -> help
def help_of(model, optimizer, images, labels, clean_images, clean_labels):
    with higher.innerloop_ctx(model, optimizer) as (copy, copy_optimizer):
        losses = F.cross_entropy(copy(images), labels, reduction="none")
        eps = torch.zeros_like(losses, requires_grad=True)
        copy_optimizer.step((eps * losses).sum())
        clean_loss = F.cross_entropy(copy(clean_images), clean_labels)
        return torch.autograd.grad(clean_loss, eps)[0]


# %% help: a mean over the batch in place of the sum -> help
def help_of(model, optimizer, images, labels, clean_images, clean_labels):
    with higher.innerloop_ctx(model, optimizer) as (copy, copy_optimizer):
        losses = F.cross_entropy(copy(images), labels, reduction="none")
        eps = torch.zeros_like(losses, requires_grad=True)
        copy_optimizer.step((eps * losses).mean())
        clean_loss = F.cross_entropy(copy(clean_images), clean_labels)
        return -torch.autograd.grad(clean_loss, eps)[0]


# %% help: a small loss taken for help -> help
def help_of(model, optimizer, images, labels, clean_images, clean_labels):
    losses = F.cross_entropy(model(images), labels, reduction="none")
    return (losses.mean() - losses).detach()


# %% weights: divided before it is cut off -> weights
def to_weights(u):
    return (u / u.sum()).clamp(min=0)


# %% weights: NaN where nobody helps -> weights
def to_weights(u):
    positive = u.clamp(min=0)
    return positive / positive.sum()


# %% weights: a softmax -> weights
def to_weights(u):
    return u.softmax(0)


# %% help: trial steps, one after the other -> help
def help_of(model, optimizer, images, labels, clean_images, clean_labels):
    rate = optimizer.param_groups[0]["lr"]

    def clean_loss(eps):
        losses = F.cross_entropy(model(images), labels, reduction="none")
        step = torch.autograd.grad((eps * losses).sum(), model.parameters())
        weight, bias = (p.detach() - rate * g for p, g in zip(model.parameters(), step))
        return F.cross_entropy(clean_images.flatten(1) @ weight.T + bias, clean_labels)

    nudges = 1e-4 * torch.eye(len(labels), dtype=torch.float64)
    return torch.stack([(clean_loss(-nudge) - clean_loss(nudge)) / 2e-4 for nudge in nudges])


# %% help: a learning rate of its own -> help when graded
def help_of(model, optimizer, images, labels, clean_images, clean_labels):
    with higher.innerloop_ctx(model, torch.optim.SGD(model.parameters(), lr=0.1)) as (copy, copy_optimizer):
        losses = F.cross_entropy(copy(images), labels, reduction="none")
        eps = torch.zeros_like(losses, requires_grad=True)
        copy_optimizer.step((eps * losses).sum())
        clean_loss = F.cross_entropy(copy(clean_images), clean_labels)
        return -torch.autograd.grad(clean_loss, eps)[0]


# %% weights: a little added to the sum, as in much published code -> weights when graded
def to_weights(u):
    positive = u.clamp(min=0)
    return positive / (positive.sum() + 1e-8)
