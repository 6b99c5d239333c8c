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
