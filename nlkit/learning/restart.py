"""Layers drawn anew in the middle of a training, and layers that rest: for methods that train in stages."""

from __future__ import annotations

from torch import Tensor, nn

from nlkit.learning.learner import Run


def parts(network: nn.Module) -> list[nn.Module]:
    """The parts of a network in the order in which they stand there, each with parameters: its outermost layers.

    For a network with parameters that are in no layer it is one part, the whole.
    """
    if any(p is not None for p in network._parameters.values()):
        return [network]
    layers = [layer for layer in network.children() if next(layer.parameters(), None) is not None]
    return parts(layers[0]) if len(layers) == 1 else layers or [network]


def check_renewable(run: Run) -> None:
    """A ValueError before the first step, where no layer of the network can be drawn anew: see `Run.companion`."""
    run.companion()


def renew(run: Run, last: int | None = None) -> None:
    """Draw the last so many parts of the run's network anew, as from another seed; None: all of it.

    What the optimizer remembers of them is forgotten, and so is what the moving average has of their weights.
    """
    drawn, _ = run.companion()
    networks = [run.model] if run.averaged is None else [run.model, run.averaged]
    for network in networks:
        for ours, theirs in list(zip(parts(network), parts(drawn), strict=True))[-last if last else None :]:
            ours.load_state_dict(theirs.state_dict())
            for p in ours.parameters():
                run.optimizer.state.pop(p, None)
    if last is None and run.averaged is not None:
        run.averaged.n_averaged.zero_()  # type: ignore[union-attr, operator]


def descend_last(run: Run, loss: Tensor, last: int | None = None) -> None:
    """One step down the gradient of a loss, of the last so many parts of the network; the others rest. None: of all."""
    run.fill(loss)
    pieces = parts(run.model)
    moving = {p for part in pieces[-last if last else None :] for p in part.parameters()}
    for p in run.model.parameters():
        if p not in moving:
            p.grad = None
    run.take_step()


def begins_epoch(run: Run) -> bool:
    """Whether the step that is to come is the first of an epoch: the time to ask the network of all examples."""
    return run.steps_done % run.steps_an_epoch == 0
