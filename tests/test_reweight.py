"""Meta-reweighting: the one-product form against `higher`, and both against finite differences of torch's own steps."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from zoo import NETWORKS, UNTRAINABLE, make

from nlkit import build_model, make_task, train
from nlkit.learning.by_hand import acts_alone
from nlkit.learning.engine_trial import first_exact, one_by_one
from nlkit.learning.layer_by_layer import help_by_layers
from nlkit.learning.learner import Batch, Run, normalize_weights
from nlkit.learning.look_ahead import clean_direction, look_ahead, torch_eps
from nlkit.learning.optimizers import OPTIMIZERS, build_optimizer
from nlkit.learning.resnet import Block
from nlkit.papers.reweight import ENGINES, Reweight, help_by_double_backward, help_by_higher, help_by_jvp
from nlkit.randomness import seeded_generator

SHAPE, CLASSES = (1, 8, 8), 4


def examples(count: int, seed: int, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    """Images whose border is dark, as in MNIST: parameters there never get a gradient, and Adam's v stays 0."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand(count, *SHAPE, generator=generator, dtype=torch.float64)
    images[:, :, :2] = 0
    return images.to(dtype), torch.randint(0, CLASSES, (count,), generator=generator)


def small_resnet() -> nn.Module:
    """Three blocks, one of each stage, with batch norm in training mode."""
    torch.manual_seed(3)
    blocks = Block(1, 4, 1), Block(4, 8, 2), Block(8, 16, 2)
    return nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, CLASSES))


def walked(model_name: str, optimizer_name: str, steps: int, dtype: torch.dtype = torch.float64, decay: float = 0.0):
    """A model and its optimizer after `steps` ordinary steps on random batches."""
    model = small_resnet() if model_name == "resnet" else build_model(model_name, SHAPE, CLASSES, seed=3)
    optimizer = build_optimizer(optimizer_name, model.to(dtype), 1e-2, decay)
    for step in range(steps):
        images, labels = examples(16, 100 + step, dtype)
        optimizer.zero_grad()
        F.cross_entropy(model(images), labels).backward()
        optimizer.step()
    return model, optimizer


def difference(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    ours, theirs = normalize_weights(ours), normalize_weights(theirs)
    assert theirs.max() > 0
    return ((ours - theirs).abs().max() / theirs.max()).item()


@pytest.mark.parametrize("steps", [0, 1, 2, 10])
@pytest.mark.parametrize("optimizer_name", ["sgd", "momentum", "adam"])
@pytest.mark.parametrize("model_name", ["mlp", "cnn"])
@pytest.mark.parametrize("dtype, tolerance", [(torch.float32, 1e-3), (torch.float64, 1e-6)])
@pytest.mark.parametrize("engine", [help_by_jvp, help_by_layers, help_by_double_backward])
def test_the_fast_engines_give_the_weights_of_higher(model_name, optimizer_name, steps, dtype, tolerance, engine):
    model, optimizer = walked(model_name, optimizer_name, steps, dtype)
    noisy, clean = examples(24, 1, dtype), examples(12, 2, dtype)
    by_higher, losses_higher = help_by_higher(model, optimizer, noisy, clean)
    ours, our_losses = engine(model, optimizer, noisy, clean)
    assert difference(ours, by_higher) < tolerance
    torch.testing.assert_close(our_losses, losses_higher)
    gradients = [torch.autograd.grad(losses.sum(), list(model.parameters())) for losses in (our_losses, losses_higher)]
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("steps", [0, 1, 10])
@pytest.mark.parametrize("optimizer_name, decay", [("sgd", 0.0), ("momentum", 0.0), ("adam", 0.0),
                                                   ("sgd", 0.3), ("momentum", 0.3), ("adam", 0.3)])  # fmt: skip
@pytest.mark.parametrize("model_name", ["mlp", "resnet"])
def test_with_weight_decay_and_batch_norm_the_weights_are_those_of_higher(model_name, optimizer_name, decay, steps):
    model, optimizer = walked(model_name, optimizer_name, steps, decay=decay)
    noisy, clean = examples(24, 1, torch.float64), examples(12, 2, torch.float64)
    by_higher, losses_higher = help_by_higher(model, optimizer, noisy, clean)
    by_jvp, losses_jvp = help_by_jvp(model, optimizer, noisy, clean)
    assert difference(by_jvp, by_higher) < 1e-6
    torch.testing.assert_close(losses_jvp, losses_higher)
    gradients = [torch.autograd.grad(losses.sum(), list(model.parameters())) for losses in (losses_jvp, losses_higher)]
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("engine", sorted(ENGINES.keys() - {"layers"}))
def test_a_step_moves_the_running_statistics_as_one_pass_over_the_noisy_batch_does(engine):
    model, optimizer = walked("resnet", "momentum", steps=3)
    noisy, clean = examples(24, 1, torch.float64), examples(12, 2, torch.float64)
    expected = copy.deepcopy(model)
    expected(noisy[0])
    run = Run(model, optimizer, *clean, seeded_generator(0, "method"), 10, 100)
    Reweight(engine).step(run, Batch(torch.arange(24), *noisy))
    for name, buffer in expected.named_buffers():
        torch.testing.assert_close(dict(model.named_buffers())[name], buffer, msg=name)
    assert model[0].norm1.num_batches_tracked == 4
    assert not any(torch.autograd.forward_ad.unpack_dual(b).tangent is not None for b in model.buffers())


@pytest.mark.parametrize("model_name", ["mlp", "cnn"])
def test_the_slopes_at_hand_lead_back_to_the_gradient_of_any_weighted_sum(model_name):
    model, optimizer = walked(model_name, "adam", steps=2)
    noisy, clean = examples(24, 1, torch.float64), examples(12, 2, torch.float64)
    weights = torch.rand(24, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    expected = F.cross_entropy(model(noisy[0]), noisy[1], reduction="none")
    _, losses = help_by_layers(model, optimizer, noisy, clean)
    gradients = [torch.autograd.grad((weights * ell).sum(), list(model.parameters())) for ell in (losses, expected)]
    torch.testing.assert_close(*gradients)


def test_layers_that_share_parameters_or_learn_nothing_are_left_to_the_product():
    shared = nn.Linear(64, 64)
    model = nn.Sequential(nn.Flatten(), shared, nn.ReLU(), shared, nn.Linear(64, CLASSES))
    assert not acts_alone(model)
    assert acts_alone(build_model("mlp", SHAPE, CLASSES))
    frozen = build_model("mlp", SHAPE, CLASSES)
    frozen[1].requires_grad_(False)
    assert not acts_alone(frozen)


ALONE = ("mlp", "cnn", "dilated and grouped", "padded in circles")


@pytest.mark.parametrize("name", [name for name in NETWORKS if name not in UNTRAINABLE])
def test_layers_takes_plain_layers_that_nothing_else_acts_on(name):
    assert acts_alone(make(name)) == (name in ALONE)


def test_a_hook_on_all_layers_is_seen_too():
    hook = nn.modules.module.register_module_forward_hook(lambda layer, given, out: None)
    try:
        assert not acts_alone(make("mlp"))
    finally:
        hook.remove()
    assert acts_alone(make("mlp"))


@pytest.mark.parametrize("engine", sorted(ENGINES.keys() - {"layers"}))
def test_parameters_that_get_the_same_gradient_are_each_scaled_once(engine):
    """autograd hands out one tensor for both: to scale it in place would scale it twice."""
    model = make("bare parameters").double()
    optimizer = build_optimizer("sgd", model, 0.1)
    noisy, clean = ((x, y % 3) for x, y in (examples(6, 1, torch.float64), examples(12, 2, torch.float64)))
    parameters = list(model.parameters())
    clean_gradient = torch.autograd.grad(F.cross_entropy(model(clean[0]), clean[1]), parameters)
    losses = F.cross_entropy(model(noisy[0]), noisy[1], reduction="none")
    gradients = [torch.autograd.grad(loss, parameters, retain_graph=True) for loss in losses]
    expected = torch.stack([0.1 * sum((g * c).sum() for g, c in zip(each, clean_gradient)) for each in gradients])
    torch.testing.assert_close(ENGINES[engine](model, optimizer, noisy, clean)[0], expected)


@pytest.mark.parametrize("layer", [nn.BatchNorm2d(1), nn.ReLU(inplace=True), nn.LayerNorm(8)])
def test_layers_refuses_a_network_in_which_its_product_would_be_wrong(layer):
    model = nn.Sequential(layer, nn.Flatten(), nn.Linear(64, CLASSES))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    noisy, clean = examples(6, 1, torch.float32), examples(6, 2, torch.float32)
    with pytest.raises(ValueError, match="engine='auto'"):
        help_by_layers(model, optimizer, noisy, clean)
    noisy[0].requires_grad_(False)
    by_auto, _ = ENGINES["auto"](model, optimizer, noisy, clean)
    torch.testing.assert_close(by_auto, help_by_jvp(model, optimizer, noisy, clean)[0])


@pytest.mark.parametrize("optimizer_name, steps, nudge, decay", [
    ("sgd", 0, 1e-5, 0), ("sgd", 10, 1e-5, 0), ("momentum", 0, 1e-5, 0), ("momentum", 10, 1e-5, 0),
    # Where v is 0, as everywhere at first, Adam's step turns from linear to saturated as ε ∇ℓ nears its eps of 1e-8.
    ("adam", 0, 1e-12, 0), ("adam", 1, 3e-11, 0), ("adam", 10, 3e-11, 0),
    ("sgd", 10, 1e-5, 0.3), ("momentum", 0, 1e-5, 0.3), ("momentum", 10, 1e-5, 0.3), ("adam", 10, 3e-11, 0.3),
])  # fmt: skip
@pytest.mark.parametrize("model_name", ["mlp", "resnet"])
def test_help_is_the_slope_of_the_clean_loss_along_real_steps(model_name, optimizer_name, steps, nudge, decay):
    """Neither engine's algebra: copy the optimizer, really step on ε ℓ_i for a tiny ε of both signs, and look."""
    model, optimizer = walked(model_name, optimizer_name, steps, decay=decay)
    noisy, clean = examples(5, 1, torch.float64), examples(12, 2, torch.float64)

    def clean_loss_after(eps: torch.Tensor) -> float:
        ahead = copy.deepcopy(model)
        stepper = build_optimizer(optimizer_name, ahead, 1e-2, decay)
        stepper.load_state_dict(copy.deepcopy(optimizer.state_dict()))
        stepper.zero_grad()
        (eps * F.cross_entropy(ahead(noisy[0]), noisy[1], reduction="none")).sum().backward()
        stepper.step()
        return F.cross_entropy(ahead(clean[0]), clean[1]).item()

    slopes = [-(clean_loss_after(e) - clean_loss_after(-e)) / (2 * nudge) for e in nudge * torch.eye(5).double()]
    help_, _ = help_by_jvp(model, optimizer, noisy, clean)
    torch.testing.assert_close(help_, torch.tensor(slopes, dtype=torch.float64), rtol=3e-3, atol=2e-5)


def test_higher_puts_eps_of_adam_elsewhere_and_torch_eps_undoes_it():
    """torch: √(v / (1 - β2ᵗ)) + eps; higher: (√v + eps) / √(1 - β2ᵗ). It shows where v is 0: in unlit pixels."""
    import higher

    model, optimizer = walked("mlp", "adam", steps=2)
    noisy, clean = examples(24, 1, torch.float64), examples(12, 2, torch.float64)
    noisy[0][:, :, :2], clean[0][:, :, :2] = 0.5, 0.5  # light the border for the first time

    def plain(override):
        with higher.innerloop_ctx(model, optimizer, override=override) as (ahead_model, ahead_optimizer):
            losses = F.cross_entropy(ahead_model(noisy[0]), noisy[1], reduction="none")
            eps = torch.zeros_like(losses, requires_grad=True)
            ahead_optimizer.step((eps * losses).sum())
            return -torch.autograd.grad(F.cross_entropy(ahead_model(clean[0]), clean[1]), eps)[0]

    ours, _ = help_by_jvp(model, optimizer, noisy, clean)
    as_it_is, same_eps = plain(None), plain(torch_eps(optimizer))
    bias = (1 - 0.999**3) ** 0.5  # what eps is divided by in higher at the third step
    assert difference(ours, same_eps) < 1e-5
    lit = (ours / as_it_is).median().item()  # the lit border outvotes the rest, so the ratio is that of its P
    assert lit == pytest.approx(1 / bias, rel=0.05)


@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_look_ahead_on_no_loss_is_where_torch_steps_on_no_gradient(decay):
    for name in OPTIMIZERS:
        model, optimizer = walked("cnn", name, steps=5, decay=decay)
        moved, _ = look_ahead(optimizer)
        for p in model.parameters():
            p.grad = torch.zeros_like(p)
        predicted = [moved[p].clone() for p in model.parameters()]
        optimizer.step()
        torch.testing.assert_close(predicted, [p.detach() for p in model.parameters()])


@pytest.mark.parametrize("optimizer", [
    lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
    lambda p: torch.optim.Adam(p, lr=0.1, weight_decay=0.1, decoupled_weight_decay=True),
    lambda p: torch.optim.RMSprop(p, lr=0.1),
])  # fmt: skip
def test_look_ahead_refuses_what_its_formulas_leave_out(optimizer):
    model = build_model("mlp", SHAPE, CLASSES)
    with pytest.raises(ValueError, match="optimizer"):
        look_ahead(optimizer(model.parameters()))


def test_weights_are_a_distribution_over_what_helps():
    weights = normalize_weights(torch.tensor([3.0, -2.0, 1.0, 0.0]))
    assert weights.tolist() == [0.75, 0.0, 0.25, 0.0]
    assert normalize_weights(torch.tensor([-1.0, -2.0])).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_step_goes_down_the_weighted_sum_of_the_losses(engine):
    """By SGD, which other than Adam also shows the size of what it goes down."""
    model, optimizer = walked("mlp", "sgd", steps=3)
    noisy, clean = examples(24, 1, torch.float64), examples(12, 2, torch.float64)
    help_, _ = help_by_higher(model, optimizer, noisy, clean)
    share = (help_.clamp(min=0) / help_.clamp(min=0).sum()).tolist()
    losses = F.cross_entropy(model(noisy[0]), noisy[1], reduction="none")
    loss = sum(w * ell for w, ell in zip(share, losses))
    gradients = torch.autograd.grad(loss, list(model.parameters()))
    expected = [p.detach() - 1e-2 * g for p, g in zip(model.parameters(), gradients)]
    run = Run(model, optimizer, *clean, seeded_generator(0, "method"), CLASSES, 100)
    result = Reweight(engine).step(run, Batch(torch.arange(24), *noisy))
    assert result.loss.item() == pytest.approx(loss.item())
    assert result.weights.tolist() == pytest.approx(share, abs=1e-6)
    torch.testing.assert_close([p.detach() for p in model.parameters()], expected)


def fine_tuned(change) -> tuple[nn.Module, torch.optim.Optimizer]:
    """The classroom network with something done to its first layer, and its optimizer after a few steps."""
    model, _ = walked("mlp", "sgd", steps=2)
    change(model[1])
    optimizer = build_optimizer("momentum", model, 1e-2, 0.3)
    for step in range(3):
        images, labels = examples(16, 200 + step, torch.float64)
        optimizer.zero_grad()
        F.cross_entropy(model(images), labels).backward()
        optimizer.step()
    return model, optimizer


@pytest.mark.parametrize("engine", ["auto", "jvp", "double-backward", "higher"])
def test_frozen_layers_have_no_say(engine):
    """The help is that of the head alone: as if the frozen layers were a part of the images."""
    model, optimizer = fine_tuned(lambda layer: layer.requires_grad_(False))
    noisy, clean = examples(8, 1, torch.float64), examples(12, 2, torch.float64)
    head = model[2:]
    stepper = torch.optim.SGD(head.parameters(), lr=1e-2, momentum=0.9, weight_decay=0)
    stepper.param_groups.clear()
    for group in optimizer.param_groups:
        stepper.add_param_group({**group, "params": [p for p in group["params"] if p.requires_grad]})
    stepper.state.update(optimizer.state)
    seen = [(model[:2](images).detach(), labels) for images, labels in (noisy, clean)]
    expected, _ = help_by_higher(head, stepper, *seen)
    ours, _ = ENGINES[engine](model, optimizer, noisy, clean)
    torch.testing.assert_close(ours, expected)
    assert clean_direction(model, optimizer, clean).keys() == set(head.parameters())


def test_a_parameter_that_the_optimizer_does_not_hold_has_no_say():
    model, _ = walked("mlp", "sgd", steps=2)
    optimizer = torch.optim.SGD(model[-1].parameters(), lr=0.1)
    noisy, clean = examples(8, 1, torch.float64), examples(12, 2, torch.float64)
    taken, engine = first_exact(ENGINES, "auto", model, optimizer, clean, "optimizer")
    assert taken == "jvp"
    seen = [(model[:-1](images).detach(), labels) for images, labels in (noisy, clean)]
    expected, _ = help_by_higher(model[-1:], optimizer, *seen)
    torch.testing.assert_close(engine(model, optimizer, noisy, clean, "optimizer")[0], expected)


@pytest.mark.parametrize("ahead", ["optimizer", "paper"])
@pytest.mark.parametrize("optimizer_name", ["sgd", "momentum", "adam"])
def test_the_paper_s_look_ahead_is_the_plain_product_of_gradients_whatever_the_optimizer(optimizer_name, ahead):
    """By hand, from the gradient of each example's loss and that of the clean loss, both at θ."""
    model, optimizer = walked("mlp", optimizer_name, steps=5, decay=0.3)
    noisy, clean = examples(6, 1, torch.float64), examples(12, 2, torch.float64)
    parameters = list(model.parameters())
    clean_gradient = torch.autograd.grad(F.cross_entropy(model(clean[0]), clean[1]), parameters)
    losses = F.cross_entropy(model(noisy[0]), noisy[1], reduction="none")
    gradients = [torch.autograd.grad(loss, parameters, retain_graph=True) for loss in losses]
    plain = torch.stack([sum((g * c).sum() for g, c in zip(each, clean_gradient)) for each in gradients])
    for engine in ENGINES:
        help_, _ = ENGINES[engine](model, optimizer, noisy, clean, ahead)
        same = torch.allclose(normalize_weights(help_), normalize_weights(plain), rtol=1e-6)
        assert same == (ahead == "paper")
        if ahead == "paper":
            torch.testing.assert_close(help_, plain)


def test_the_paper_s_look_ahead_takes_any_optimizer_and_the_other_says_which_it_takes():
    model = build_model("mlp", SHAPE, CLASSES)
    clean = examples(12, 2, torch.float32)
    for optimizer in (
        torch.optim.RMSprop(model.parameters()),
        torch.optim.AdamW(model.parameters()),
        torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, nesterov=True),
        torch.optim.Adam(model.parameters(), maximize=True),
    ):
        run = Run(model, optimizer, *clean, seeded_generator(0, "method"), CLASSES, 100)
        for engine in ENGINES:
            with pytest.raises(ValueError, match="look_ahead='paper'"):
                Reweight(engine).prepare(run)
            with pytest.raises(ValueError, match="look_ahead='paper'"):
                ENGINES[engine](model, optimizer, clean, clean)
        method = Reweight(look_ahead="paper")
        method.prepare(run)
        assert method.taken == "layers"
    with pytest.raises(ValueError, match="look_ahead='sideways' is not known. Known: optimizer, paper"):
        Reweight(look_ahead="sideways")


class TwoPaths(nn.Module):
    """Self-distillation: a layer used twice, and no gradient passes the second time."""

    def __init__(self):
        super().__init__()
        self.layer, self.head = nn.Linear(64, 8), nn.Linear(8, CLASSES)

    def forward(self, x):
        h = self.layer(x.flatten(1))
        with torch.no_grad():
            target = self.layer(x.flatten(1)).sin()
        return self.head(h * target)


def test_a_product_that_passes_where_no_gradient_does_is_noticed():
    """Forward derivatives pass `torch.no_grad()`: without a word, the product would be that of another network."""
    torch.manual_seed(0)
    model = TwoPaths()
    optimizer = build_optimizer("sgd", model, 0.1)
    noisy, clean = examples(6, 1, torch.float32), examples(12, 2, torch.float32)
    expected, _ = one_by_one(model, optimizer, noisy, clean, "optimizer")
    product, _ = help_by_jvp(model, optimizer, noisy, clean)
    assert (product - expected).abs().max() > 0.2 * expected.abs().max()
    with pytest.warns(UserWarning, match="'double-backward' for model=TwoPaths"):
        ours, _ = ENGINES["auto"](model, optimizer, noisy, clean)
    torch.testing.assert_close(ours, expected)
    with pytest.raises(ValueError, match="engine='jvp' can't be used for model=TwoPaths.*gradients; take"):
        first_exact(ENGINES, "jvp", model, optimizer, clean, "optimizer")


class Branches(nn.Module):
    """One of two layers, by the first pixel of the batch."""

    def __init__(self):
        super().__init__()
        self.one, self.other, self.head = nn.Linear(64, 8), nn.Linear(64, 8), nn.Linear(8, CLASSES)

    def forward(self, x):
        return self.head((self.one if x[0, 0, 0, 0] > 0.5 else self.other)(x.flatten(1)))


@pytest.mark.parametrize(
    "ahead, engines", [("paper", ("jvp", "double-backward", "higher")), ("optimizer", ("higher",))]
)
def test_where_a_batch_takes_another_path_the_step_that_is_taken_counts(ahead, engines):
    """By `higher` always; by the others, whose θ̂ moves all layers, where there is no momentum to move them."""
    torch.manual_seed(0)
    model = Branches().double()
    optimizer = build_optimizer("momentum", model, 0.1)
    noisy, clean = examples(6, 1, torch.float64), examples(12, 2, torch.float64)
    for first in (1.0, 0.0):
        noisy[0][0, 0, 0, 0] = first
        optimizer.zero_grad()
        F.cross_entropy(model(noisy[0]), noisy[1]).backward()
        optimizer.step()
    noisy[0][0, 0, 0, 0], clean[0][0, 0, 0, 0] = 0.0, 1.0
    ahead_model = copy.deepcopy(model)
    velocity = {name: optimizer.state[p]["momentum_buffer"] for name, p in model.named_parameters()}
    losses = F.cross_entropy(model(noisy[0]), noisy[1], reduction="none")
    if ahead == "optimizer":
        with torch.no_grad():
            for name, p in ahead_model.named_parameters():
                if not name.startswith("one"):  # the layer that the noisy batch leaves out
                    p -= 0.1 * 0.9 * velocity[name]
    scale = 0.1 if ahead == "optimizer" else 1.0
    clean_gradient = torch.autograd.grad(F.cross_entropy(ahead_model(clean[0]), clean[1]), ahead_model.head.weight)[0]
    bias = torch.autograd.grad(F.cross_entropy(ahead_model(clean[0]), clean[1]), ahead_model.head.bias)[0]
    expected = []
    for loss in losses:
        own = torch.autograd.grad(loss, [model.head.weight, model.head.bias], retain_graph=True)
        expected.append(scale * ((own[0] * clean_gradient).sum() + (own[1] * bias).sum()))
    for engine in engines:
        help_, _ = ENGINES[engine](model, optimizer, noisy, clean, ahead)
        torch.testing.assert_close(help_, torch.stack(expected))


def test_layers_takes_its_hooks_back_when_a_pass_fails():
    model, optimizer = walked("mlp", "sgd", steps=0)
    noisy, clean = examples(6, 1, torch.float64), examples(12, 2, torch.float64)
    with pytest.raises(RuntimeError):
        help_by_layers(model, optimizer, (noisy[0][:, :, :3], noisy[1]), clean)
    assert not any(layer._forward_hooks for layer in model.modules())


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, RuntimeError])
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("at", range(1, 5))
def test_an_interrupt_in_the_middle_leaves_the_network_whole(engine, at, interrupt):
    """In the pass over the clean set, in that over the noisy batch, or while the engine is looked for."""
    passes = []

    class Interrupting(nn.ReLU):
        def forward(self, x):
            passes.append(x)
            if len(passes) >= at and armed:
                raise interrupt("stop")
            return super().forward(x)

    shared, armed = nn.Linear(8, 8), []
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 8), shared, Interrupting(), nn.BatchNorm1d(8), shared,
                          nn.Linear(8, CLASSES)).eval()  # fmt: skip
    optimizer = build_optimizer("adam", model, 1e-2)
    before = {name: (p, p.detach().clone()) for name, p in (*model.named_parameters(), *model.named_buffers())}
    clean, random = examples(12, 2, torch.float32), torch.random.get_rng_state()
    armed.append(True)
    with pytest.raises((interrupt, ValueError)):
        Reweight(engine).prepare(Run(model, optimizer, *clean, seeded_generator(0, "method"), CLASSES, 100))
    with pytest.raises((interrupt, ValueError)):
        ENGINES[engine](model, optimizer, clean, clean)
    after = dict((*model.named_parameters(), *model.named_buffers()))
    assert after.keys() == before.keys()
    for name, (tensor, value) in before.items():
        assert after[name] is tensor and torch.equal(tensor, value), name
    assert all(isinstance(p, nn.Parameter) and p.grad is None for p in model.parameters())
    assert not any(layer.training or layer._forward_hooks for layer in model.modules())
    assert torch.equal(torch.random.get_rng_state(), random)


def test_a_corrupted_clean_set_leads_the_weights_astray(mnist5k):
    """The clean set is what guides: with rotated clean labels, wrong examples get the weight."""
    from dataclasses import replace

    task = make_task(mnist5k, ratio=0.4, clean_per_class=50, device="cpu")
    lies = replace(task, given=torch.cat([task.given_labels, (task.clean_labels + 1) % 10]))
    share = [list(train(t, "reweight", epochs=3))[-1].extra["weight_on_right"] for t in (task, lies)]
    assert share[0] > 0.65 > 0.55 > share[1]


def test_on_request_the_clean_examples_are_weighed_and_learned_from_too(mnist5k):
    """The same as a task whose noisy set has the clean examples at its end, with the same clean set beside it."""
    from dataclasses import replace

    task = make_task(mnist5k, ratio=0.8, clean_per_class=20, device="cpu")
    pool = replace(
        task,
        images=torch.cat([task.images, task.clean_images]),
        given=torch.cat([task.given, task.clean_labels]),
        true=torch.cat([task.true, task.clean_labels]),
        index=torch.cat([task.index, task.index[-200:]]),
        noisy_count=task.noisy_count + 200,
    )
    both = list(train(task, "reweight", epochs=2, learn_clean=True))
    expected = list(train(pool, "reweight", epochs=2))
    assert [r.loss for r in both] == [r.loss for r in expected]
    assert [r.test_accuracy for r in both] == [r.test_accuracy for r in expected]
    assert torch.equal(both[-1].example_weights, expected[-1].example_weights[: len(task.wrong)])
    without = list(train(task, "reweight", epochs=2))
    assert both[-1].loss != without[-1].loss
    assert both[-1].extra["weight_on_right"] + both[-1].extra["weight_on_wrong"] == pytest.approx(1)


@pytest.mark.slow
def test_the_fast_engine_and_higher_train_alike(mnist5k):
    """Rounding differs, and training amplifies it, so the two are compared as runs: by what they reach."""
    task = make_task(mnist5k, ratio=0.4, clean_per_class=50, device="cpu")
    reached = [list(train(task, "reweight", epochs=3, engine=e))[-1] for e in ("auto", "higher")]
    assert reached[0].test_accuracy == pytest.approx(reached[1].test_accuracy, abs=0.03)
    assert reached[0].extra["weight_on_right"] == pytest.approx(reached[1].extra["weight_on_right"], abs=0.03)
