"""EM: explain every given label by what the network sees, and learn from the explanation.

    Bekker, Goldberger: Training deep neural-networks based on unreliable labels. ICASSP 2016.

The true class k of example i is hidden. The network says p_k(x_i), the transition matrix T[k, j] how often class k gets
the given label j. One step on a batch:

    E:  q_i(k) ∝ p̄_k(x_i) · T[k, ỹ_i]                       the posterior of the true class
        q_i(k) ← q_i(k)^(1/τ) / Σ_l q_i(l)^(1/τ)             sharpened
    M:  L(θ) = 1/B Σ_i CE(q_i, p(x̃_i))  +  c · mean of CE(y, p(x̃)) over a clean batch
        T[k, j] = share of the given label j among the examples that p̄ takes for class k

T is told (`matrix`), or counted over the last epoch or so. Four things are not in that paper (notebook 07 takes most
of them away one by one):

- p̄ is the network with averaged weights, where the run has one. Tarvainen, Valpola: Mean teachers are better role
  models. NeurIPS 2017, arXiv:1703.01780.
- It looks at the image as it is; the network learns the answer on the augmented image x̃.
- A temperature τ < 1 makes the answer more decided than the belief was, and x̃ and q are blended with those of a
  partner, λ ~ Beta(α, α). Both as in Berthelot et al.: MixMatch. NeurIPS 2019, arXiv:1905.02249.
- T counts which class is the likeliest against the given label; the paper sums up the posteriors q. Such a count is
  the baseline (C_confusion) that Northcutt, Jiang, Chuang compare confident learning with. JAIR 2021, arXiv:1911.00068.

And a step on one batch stands for the paper's M step, which trains the network until it no longer changes.

A network that knows nothing explains nothing. So it first learns, for a part of the training called burn-in, from the
clean set alone, an epoch at least (see burn_in.py); or, without one, from the given labels as they are, of which it
learns the right ones first, two epochs at least. From such a start the E step may lose a whole class. Up to the part
`forward_until` the network then learns by forward correction (forward.py) with the counted T: the same posterior, but
of its own belief as it changes, and unsharpened. And as long, all classes share the mean of T's diagonal: a class that
the network hardly knows would else not claim its own label.

Where an EM ends hangs on where it starts. The usual remedy is to start several: `networks` of them, each drawn from a
seed of its own, learn from posteriors of which p̄ is the mean of what they say, and answer together by that mean.
(`together=False` is the control: each believes itself alone, and only the answer is the mean.)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nlkit.checks import check_flag, check_integer, check_number
from nlkit.learning.burn_in import burnt_in
from nlkit.learning.learner import Batch, Run, StepResult
from nlkit.learning.models import evaluate
from nlkit.learning.peer import AveragedPeer
from nlkit.noise.matrices import check_matrix
from nlkit.papers.forward import Matrix
from nlkit.papers.mixup import draw_beta, mix

Logits = Callable[[Tensor], Tensor]  # (B, C, H, W) -> (B, K)
CLEAN_EPOCHS, NOISY_EPOCHS = 1, 2  # the shortest burn-in, with a clean set and without one


class ExpectationMaximization:
    learns_from = "noisy"
    needs_clean = False
    weighs = False
    sees_noise = True

    def __init__(
        self,
        matrix: Matrix | None = None,
        temperature: float = 0.3,
        alpha: float = 0.2,
        burn_in: float = 0.04,
        forward_until: float = 0.0,
        clean_weight: float = 0.25,
        clean_batch_size: int = 32,
        networks: int = 1,
        together: bool = True,
    ):
        """matrix: T (K, K), rows summing to 1. temperature: τ, in (0, 1]. alpha: of the blends; 0 blends nothing.

        burn_in, forward_until: parts of the training, in [0, 1]. clean_weight: c, 0 or more; clean_batch_size: of the
        clean batch. networks: how many answer together. together: whether each learns from what all of them
        believe, or from what it believes itself. Raises a ValueError for any other value; `train` refuses a matrix of
        another size than the data has classes.
        """
        self.matrix = None if matrix is None else check_matrix(matrix)
        self.temperature = check_number("temperature", temperature, 0, 1, above=True)
        self.alpha = check_number("alpha", alpha, 0)
        self.burn_in = check_number("burn_in", burn_in, 0, 1)
        self.forward_until = check_number("forward_until", forward_until, 0, 1)
        self.clean_weight = check_number("clean_weight", clean_weight, 0)
        self.clean_batch_size = check_integer("clean_batch_size", clean_batch_size, 1)
        check_integer("networks", networks, 1)
        self.together = check_flag("together", together)
        self.state: dict[str, Any] = {}
        self.others = [AveragedPeer(self.state, f"network {number}") for number in range(2, networks + 1)]

    def prepare(self, run: Run) -> None:
        """Make the other networks; a ValueError before the first step where they can't be made."""
        for other in self.others:
            other.prepare(run)

    def jurors(self, run: Run) -> list[nn.Module]:
        """The other networks, which answer with the first."""
        return [other.measured for other in self.others]

    def step(self, run: Run, batch: Batch) -> StepResult:
        for other in self.others:
            other.begin(run)
        beliefs = [evaluate(teacher, batch.originals).softmax(1) for teacher in self._teachers(run)]  # (B, K) each
        if self.together:
            believed = torch.stack(beliefs).mean(0)
            explanations = [(believed, self._transition(run, believed, batch.labels))] * len(beliefs)
        else:
            explanations = [(p, self._transition(run, p, batch.labels, place)) for place, p in enumerate(beliefs)]
        (believed, transition), *of_others = explanations
        loss = self._loss(run, batch, believed, transition, run.logits)
        run.descend(loss)
        for other, (believed, transition) in zip(self.others, of_others):
            other.descend(self._loss(run, batch, believed, transition, other.logits))
        return StepResult(loss)

    def _teachers(self, run: Run) -> list[nn.Module]:
        """Whose belief is asked, network by network: the average of its weights, if it has one."""
        first: nn.Module = run.averaged if run.averaged is not None else run.model
        return [first, *(other.network if other.average is None else other.average for other in self.others)]

    def _loss(self, run: Run, batch: Batch, believed: Tensor, transition: Tensor, logits: Logits) -> Tensor:
        """L of one network, which says `logits` of images."""
        if burnt_in(run, self.burn_in, CLEAN_EPOCHS if len(run.clean_labels) else NOISY_EPOCHS) < 1:
            images, labels = run.clean_batch(len(batch.labels)) if len(run.clean_labels) else batch[1:3]
            return F.cross_entropy(logits(images), labels)
        if run.progress < self.forward_until:
            log_p, clean_loss = self._pass(run, batch.images, logits)
            explained = (log_p.exp().clamp(min=1e-8) @ transition).log()
            return F.nll_loss(explained, batch.labels) + self.clean_weight * clean_loss
        q = posterior(believed, transition, batch.labels, self.temperature)
        images, q = self._blend(run, batch.images, q)
        log_p, clean_loss = self._pass(run, images, logits)
        return -(q * log_p).sum(1).mean() + self.clean_weight * clean_loss

    def _pass(self, run: Run, images: Tensor, logits: Logits) -> tuple[Tensor, Tensor]:
        """log p (B, K), and the loss on a clean batch (0 without one): one pass, since a norm is to see one batch."""
        clean_images, labels = run.clean_batch(self.clean_batch_size if self.clean_weight else 0)
        log_p, clean_log_p = logits(torch.cat([images, clean_images])).log_softmax(1).split([len(images), len(labels)])
        return log_p, F.nll_loss(clean_log_p, labels) if len(labels) else log_p.new_zeros(())

    def _transition(self, run: Run, believed: Tensor, labels: Tensor, place: int = 0) -> Tensor:
        """T (K, K): as told, or as the predicted classes and given labels of the last steps have it.

        place: of the network whose belief it is, where each has its own.
        """
        if self.matrix is not None:
            return self.matrix.to(believed)
        pairs = believed.argmax(1) * run.num_classes + labels
        joint = torch.bincount(pairs, minlength=run.num_classes**2).view(run.num_classes, -1).to(believed) / len(labels)
        mine = f" of network {place + 1}" if place else ""
        steps = self.state.setdefault(f"steps{mine}", torch.zeros((), dtype=torch.long))
        # Over an epoch at most, and at first over a tenth of the steps so far, since the network still changes fast.
        decay = min(1 - len(labels) / run.num_examples, (1 + int(steps)) / (10 + int(steps)))
        joint = self.state[f"joint{mine}"] = joint.lerp(self.state.get(f"joint{mine}", joint), decay)
        steps += 1
        smooth = joint + 1e-3 / run.num_classes**2  # a class never taken explains all labels alike
        counted = smooth / smooth.sum(1, keepdim=True)
        return with_shared_diagonal(counted) if run.progress < self.forward_until else counted

    def _blend(self, run: Run, images: Tensor, q: Tensor) -> tuple[Tensor, Tensor]:
        """Images and posteriors, each blended with those of a partner; its own keep the larger share."""
        if not self.alpha:
            return images, q
        partner = torch.randperm(len(q), generator=run.generator).to(q.device)
        lam = draw_beta(self.alpha, len(q), run.generator).to(q)
        lam = torch.maximum(lam, 1 - lam)
        return mix(images, partner, lam), q[partner].lerp(q, lam[:, None])


def posterior(believed: Tensor, transition: Tensor, labels: Tensor, temperature: float = 1.0) -> Tensor:
    """q (B, K) of the true classes: from p̄ (B, K), T (K, K) and the given labels (B,), sharpened below 1."""
    log_q = (believed.clamp(min=1e-8) * transition[:, labels].T.clamp(min=1e-8)).log()
    return (log_q / temperature).softmax(1)


def with_shared_diagonal(matrix: Tensor) -> Tensor:
    """T (K, K) with the mean of its diagonal for every class, and the rest of each row in its own proportions."""
    shared = matrix.diagonal().mean()
    others = matrix - matrix.diagonal().diag()
    return others / others.sum(1, keepdim=True) * (1 - shared) + shared * torch.eye(len(matrix)).to(matrix)
