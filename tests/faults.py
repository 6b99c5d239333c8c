"""Faults that the kit must not have: each an exact replacement in the source, and the tests that should notice."""

from __future__ import annotations

from typing import NamedTuple


class Fault(NamedTuple):
    name: str
    file: str  # from the root of the repository
    old: str  # there exactly once
    new: str
    tests: tuple[str, ...]  # test modules, fast ones


NOISE = "tests/test_noise.py"
TASK = "tests/test_task.py"
DATA = "tests/test_data.py"
TRAINING = "tests/test_training.py"
RECIPES = "tests/test_recipes.py"
RECORDS = "tests/test_records.py"
REWEIGHT = "tests/test_reweight.py"
RUN = "tests/test_run.py"
MENTORMIX = "tests/test_mentormix.py"
LOSSES = "tests/test_losses.py"
SWEEP = "tests/test_sweep.py"
INTERVALS = "tests/test_intervals.py"
CLAIMS = "tests/test_claims.py"
PLOTS = "tests/test_plots.py"
LIVE = "tests/test_live.py"
LIVE_TRAINING = "tests/test_live_training.py"
LIVE_DRIVER = "tests/test_live_driver.py"
CLI = "tests/test_cli.py"
CO_TEACHING = "tests/test_co_teaching.py"
EM = "tests/test_em.py"

FAULTS = [
    # Noise and tasks
    Fault("noise: the ratio is ignored", "nlkit/noise.py",
          "torch.full((classes, classes), ratio / spread,", "torch.full((classes, classes), 0.8 / spread,", (NOISE,)),
    Fault("noise: an experiment ignores its ratio", "nlkit/experiment.py",
          "else self.ratio,", "else 0.8,", (SWEEP, CLI)),
    Fault("noise: may draw the own class", "nlkit/noise.py",
          "spread = classes if own_class else classes - 1", "spread = classes", (NOISE,)),
    Fault("noise: not nested in the ratio", "nlkit/noise.py",
          "draws, generator = _first_draws(len(labels), seed)",
          "draws, generator = _first_draws(len(labels), seed + int(1000 * rates.mean()))", (NOISE,)),
    Fault("noise: the matrix is taken the wrong way round", "nlkit/noise.py",
          "targets = matrix.clone().fill_diagonal_(0)", "targets = matrix.T.clone().fill_diagonal_(0)", (NOISE,)),
    Fault("noise: the clean set is corrupted too", "nlkit/task.py",
          "given[noisy] = corrupt(true[noisy], matrix, seed=seed, exact=exact)",
          "given[:] = corrupt(true, matrix, seed=seed, exact=exact)", (TASK,)),
    Fault("task: the clean set is not nested in its size", "nlkit/task.py",
          'seeded_generator(seed, "clean set"))', 'seeded_generator(seed, f"clean set {clean_per_class}"))', (TASK,)),
    Fault("task: test images are among the training images", "nlkit/data.py",
          "np.flatnonzero(labels == c)[400:]", "np.flatnonzero(labels == c)[300:400]", (DATA,)),
    Fault("seed: ignored by every draw", "nlkit/randomness.py",
          'f"{purpose}:{seed}".encode()', 'f"{purpose}:0".encode()', (NOISE, TASK)),
    Fault("seed: ignored by the initial weights", "nlkit/training.py",
          "build is None else build(seed)", "build is None else build(0)",
          (TRAINING,)),
    Fault("seed: batches and method share one stream", "nlkit/training.py",
          'generator=seeded_generator(seed, "batches"),', 'generator=seeded_generator(seed, "method"),', (TRAINING,)),
    # The training loop
    Fault("training: the test set is learned from", "nlkit/training.py",
          '"noisy and clean": (task.images, task.given),',
          '"noisy and clean": (torch.cat([task.images, task.test_images]), torch.cat([task.given, task.test_labels])),',
          (TRAINING,)),
    Fault("training: the test set is taken for the clean set", "nlkit/training.py",
          "clean_images=task.clean_images,\n            clean_labels=task.clean_labels,",
          "clean_images=task.test_images,\n            clean_labels=task.test_labels,", (TRAINING,)),
    Fault("training: true labels are learned", "nlkit/training.py",
          '"noisy": (task.noisy_images, task.given_labels),', '"noisy": (task.noisy_images, task.true_labels),',
          (TRAINING,)),
    Fault("training: clean only learns from noisy labels too", "nlkit/methods/clean_only.py",
          'learns_from = "clean"', 'learns_from = "noisy and clean"', (TRAINING,)),
    Fault("training: batches come in the order of the data", "nlkit/training.py",
          "torch.randperm(size, generator=self.generator) for _", "torch.arange(size) for _", (TRAINING,)),
    Fault("training: the progress never moves", "nlkit/training.py",
          "run.progress = (number - 1 + done / len(batches)) / self.epochs", "run.progress = 0.0",
          (RECIPES, MENTORMIX)),
    Fault("training: the learning rate ignores its schedule", "nlkit/training.py",
          "self.learning_rate * self.schedule(run.progress)", "self.learning_rate", (RECIPES,)),
    Fault("training: measured images are augmented", "nlkit/training.py",
          "predict(model, task.test_images) == task.test_labels",
          "predict(model, self.run.augment(task.test_images, self.augmentation)) == task.test_labels", (RECIPES,)),
    Fault("training: clean batches are not augmented", "nlkit/run.py",
          "return self.augment(self.clean_images.index_select(0, chosen), self.generator),",
          "return self.clean_images.index_select(0, chosen),", (RECIPES,)),
    Fault("training: the clean batch is never drawn anew", "nlkit/run.py",
          "chosen = torch.randperm(len(self.clean_labels), generator=self.generator)[:size]",
          "chosen = torch.arange(len(self.clean_labels))[:size]", (RUN,)),
    # What is reported
    Fault("records: the averaged network is not the one measured", "nlkit/training.py",
          "self.averaged or self.network\n", "self.network\n", (TRAINING,)),
    Fault("records: memorized is counted against true labels", "nlkit/training.py",
          '"memorized": as_given[task.wrong]', '"memorized": as_true[task.wrong]', (TRAINING,)),
    Fault("records: memorized is counted over all labels", "nlkit/training.py",
          '"memorized": as_given[task.wrong]', '"memorized": as_given', (TRAINING,)),
    Fault("records: weights on right and wrong labels are swapped", "nlkit/training.py",
          '"weight_on_right": (weights[~wrong].sum()', '"weight_on_right": (weights[wrong].sum()', (TRAINING,)),
    Fault("records: the best is the last", "nlkit/records.py",
          "return max(records, key=lambda record: record.test_accuracy)", "return records[-1]", (RECORDS,)),
    Fault("records: the best of a sweep is the last", "nlkit/sweep.py",
          "return max(self.test_accuracy)", "return self.test_accuracy[-1]", (SWEEP,)),
    Fault("records: a resumed run drops the early ones", "nlkit/training.py",
          "    yield from done\n", "    yield from ()\n", (TRAINING,)),
    Fault("checkpoint: the method's state is dropped", "nlkit/training.py",
          '"method": getattr(self.algorithm, "state", {}),', '"method": {},', (TRAINING,)),
    Fault("checkpoint: the generators start again", "nlkit/training.py",
          "generator.set_state(saved.cpu())", "saved.cpu()", (TRAINING,)),
    Fault("sweep: it starts from the first run again", "nlkit/sweep.py",
          "if experiment not in known", "if True", (SWEEP,)),
    Fault("intervals: too narrow", "nlkit/intervals.py", "/ math.sqrt(count))", "/ count)", (INTERVALS,)),
    Fault("intervals: one-sided", "nlkit/intervals.py", "t.ppf((1 + level) / 2,", "t.ppf(level,", (INTERVALS,)),
    Fault("intervals: not paired by seed", "nlkit/intervals.py",
          "[a - b for a, b in zip(ours, theirs)]", "[a - b for a, b in zip(sorted(ours), sorted(theirs))]",
          (INTERVALS,)),
    Fault("claims: the upper bound is ignored", "nlkit/claims/claim.py",
          "and (self.at_most is None or value <= self.at_most)", "", (CLAIMS,)),
    Fault("map: winner and loser are swapped", "nlkit/plots/maps.py",
          '{1: "▲", 0: "≈", -1: "▼"}', '{-1: "▲", 0: "≈", 1: "▼"}', (PLOTS,)),
    # Methods
    Fault("reweight: all weights are equal", "nlkit/methods/reweight.py",
          "weights = normalize_weights(help_)", "weights = torch.full_like(help_, 1 / len(help_))", (REWEIGHT,)),
    Fault("reweight: the sign of the help is flipped", "nlkit/methods/reweight.py",
          "return help_, LossesBySlopes", "return -help_, LossesBySlopes", (REWEIGHT,)),
    Fault("reweight: harm counts as negative weight", "nlkit/run.py",
          "positive = weights.clamp(min=0)", "positive = weights", (REWEIGHT,)),
    Fault("reweight: the weighted loss is divided by the batch's size", "nlkit/methods/reweight.py",
          "loss = (weights * losses).sum()", "loss = (weights * losses).mean()", (REWEIGHT,)),
    Fault("reweight: the look-ahead forgets Adam's momentum", "nlkit/look_ahead.py",
          "moved = torch.addcdiv(p, m, root, value=-rate * beta1 / unit)", "moved = p.clone()", (REWEIGHT,)),
    Fault("reweight: what is frozen is looked ahead with", "nlkit/look_ahead.py",
          "            if p.requires_grad:\n                moved[p]", "            if True:\n                moved[p]",
          (REWEIGHT,)),
    Fault("reweight: gradients that two parameters share are scaled twice", "nlkit/look_ahead.py",
          "{p: gradient * scale[p] for", "{p: gradient.mul_(scale[p]) for", (REWEIGHT,)),
    Fault("reweight: the paper's look-ahead is the optimizer's", "nlkit/look_ahead.py",
          '"paper": plain_step}', '"paper": look_ahead}', (REWEIGHT,)),
    Fault("reweight: a layer that is used twice gets its tensors twice", "nlkit/run.py",
          "in model.named_modules():", "in model.named_modules(remove_duplicate=False):", (REWEIGHT,)),
    Fault("reweight: hooks are passed over by the engine that goes layer by layer", "nlkit/methods/reweight.py",
          "or any(hooked(layer) for layer in (model, *model))", "", (REWEIGHT,)),
    Fault("reweight: no engine is held against the gradients", "nlkit/engine_trial.py",
          "    return not size.isfinite() or bool(", "    return True or bool(", (REWEIGHT,)),
    Fault("reweight: the trial leaves its mark in a network's buffers", "nlkit/engine_trial.py",
          "                buffer.copy_(value)", "                pass", (REWEIGHT,)),
    Fault("mentor: the burn-in never ends", "nlkit/methods/mentornet.py",
          "torch.ones_like(losses) if run.progress < self.burn_in else", "torch.ones_like(losses) if True else",
          (MENTORMIX,)),
    Fault("mentor: the percentile is inverted", "nlkit/methods/mentornet.py",
          "else torch.as_tensor(self.percentile)", "else 1 - torch.as_tensor(self.percentile)", (MENTORMIX,)),
    Fault("mentor: large losses are kept", "nlkit/methods/mentornet.py",
          "(losses < threshold)", "(losses > threshold)", (MENTORMIX,)),
    Fault("mentormix: the second weighting is ignored", "nlkit/methods/mentormix.py",
          "if self.second_weighting:", "if False:", (MENTORMIX,)),
    Fault("mentormix: both weightings share one threshold", "nlkit/methods/mentormix.py",
          'mostly, "second threshold")', "mostly)", (MENTORMIX,)),
    Fault("mentormix: the doubted keep the larger share", "nlkit/methods/mentormix.py",
          "torch.where(v >= 0.5, larger, 1 - larger)", "torch.where(v < 0.5, larger, 1 - larger)", (MENTORMIX,)),
    Fault("mixup: labels are not blended", "nlkit/methods/mixup.py",
          "return other.lerp(own, lam)", "return own", (MENTORMIX,)),
    Fault("forward: the matrix is transposed", "nlkit/methods/forward.py",
          "p @ self._transition(run, p)", "p @ self._transition(run, p).T", (LOSSES,)),
    Fault("forward: the burn-in never ends", "nlkit/methods/forward.py",
          "if self.matrix is None and run.progress < self.burn_in:", "if self.matrix is None:", (LOSSES,)),
    Fault("elr: the targets are not detached", "nlkit/methods/elr.py",
          "said = self._remember(run, batch.index, p.detach())  # (B, K)",
          "said = (1 - self.beta) * p + self.beta * self._remember(run, batch.index, p.detach())", (LOSSES,)),
    Fault("elr: the targets are never updated", "nlkit/methods/elr.py",
          'said = self.state["said"]\n', 'said = self.state["said"].clone()\n', (LOSSES,)),
    Fault("gce: it is plain cross-entropy", "nlkit/methods/gce.py",
          "loss = ((1 - (self.q * log_p).exp()) / self.q).mean()", "loss = -log_p.mean()", (LOSSES,)),
    Fault("co-teaching: each network chooses for itself", "nlkit/methods/co_teaching.py",
          "for each in (losses, peers_losses))", "for each in (peers_losses, losses))", (CO_TEACHING,)),
    Fault("co-teaching: the second network of one's own is a plain copy", "nlkit/run.py",
          "            if draw is not None and any(", "            if False and any(", (CO_TEACHING,)),
    Fault("co-teaching: frozen layers of the second network are drawn anew", "nlkit/run.py",
          "            theirs[name].copy_(own[name])", "            pass", (CO_TEACHING,)),
    Fault("co-teaching: what no layer draws is passed over", "nlkit/run.py",
          "if p.requires_grad and p.isnan().any():", "if False:", (CO_TEACHING,)),
    Fault("co-teaching: a named network's companion is not made as the first was", "nlkit/training.py",
          "            build=build,", "            build=None,", (CO_TEACHING,)),
    Fault("co-teaching: the second optimizer holds the first network", "nlkit/run.py",
          'theirs["params"] = [own[p] for p in ours["params"]]', 'theirs["params"] = ours["params"]', (CO_TEACHING,)),
    Fault("co-teaching: all of a batch is kept", "nlkit/methods/co_teaching.py",
          "return 1 - (1 - float(self.mentor.keep)) * fallen", "return 1.0", (CO_TEACHING,)),
    Fault("em: the matrix is taken the wrong way round", "nlkit/methods/em.py",
          "transition[:, labels].T.clamp(min=1e-8)", "transition[labels].clamp(min=1e-8)", (EM,)),
    Fault("em: the learner answers, and not the average", "nlkit/methods/em.py",
          "run.averaged if run.averaged is not None else run.model", "run.model", (EM,)),
    Fault("em: the answer is for the augmented image", "nlkit/methods/em.py",
          "evaluate(teacher, batch.originals)", "evaluate(teacher, batch.images)", (EM,)),
    Fault("em: the burn-in never ends", "nlkit/methods/em.py",
          "if run.progress < self.burn_in:\n            images, labels", "if True:\n            images, labels", (EM,)),
    # Panels
    Fault("panel: new words under a stale picture", "nlkit/live/panel.py",
          "self.picture.value, self.picture.tooltip = frame.png, frame.alt",
          "self.picture.value, self.picture.tooltip = self.picture.value or frame.png, frame.alt", (LIVE,)),
    Fault("panel: the last epochs are never drawn", "nlkit/live/run_panel.py",
          "            self.draw()\n            self.keep_picture()", "            self.keep_picture()",
          (LIVE_TRAINING,)),
    Fault("panel: only the last record is kept", "nlkit/live/run_panel.py",
          "self.current[place].history.append(step)", "self.current[place].history[:] = [step]", (LIVE_TRAINING,)),
    Fault("panel: an overtaken run is still delivered", "nlkit/live/driver.py",
          "if run is not self._run:", "if False:", (LIVE_DRIVER,)),
    Fault("panel: Stop lets the step in progress through", "nlkit/live/driver.py",
          "        self._pending = self._run = None\n", "        self._pending = None\n", (LIVE_DRIVER,)),
]  # fmt: skip
