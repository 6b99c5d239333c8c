"""Robust training in scikit-learn's manner: `fit(X, y, X_clean, y_clean)` on a table of one's own, then `predict`."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor, nn

from nlkit.checks import check_choice, check_integer
from nlkit.data.dataset import Dataset
from nlkit.learning.models import build_model
from nlkit.papers import METHODS
from nlkit.tasks.make import make_task
from nlkit.training.train import train

STEPS = 500  # training steps at least, when the number of epochs is left open: a small table needs more epochs
EPOCHS = 25


class RobustClassifier(ClassifierMixin, BaseEstimator):
    """A network trained by one of the kit's methods on labels of which some are wrong, as a scikit-learn estimator.

    It works in a `Pipeline`, under `GridSearchCV` and `cross_val_score`, with labels of any type, and can be pickled.
    Its columns are numbers; text and categories go through a transformer before it, and so does sparse input.

    method: a name in `nlkit.METHODS`. "reweight" and "clean_only" need a clean set, which `fit` is then handed;
        "early_stopping" needs enough examples to hold some out. "gce", which needs neither, unless given.
    model: a name in `nlkit.MODELS`; those with convolutions need an `image_shape`.
    image_shape: (channels, height, width) of the image that a row of X holds, or None for a table.
    epochs: 1 or more; None takes 25, or on a small table as many as make 500 training steps.
    batch_size, optimizer, learning_rate, weight_decay: as `nlkit.train` takes them. Of fewer examples than a batch, a
        batch is all of them.
    options: what the method itself takes, as a mapping, such as ``{"q": 0.7}`` of "gce".
    scale: whether columns are brought to mean 0 and standard deviation 1 first, by what `fit` saw (an image's pixels
        together). A column that is always the same becomes 0.
    device: "auto" takes CUDA, then MPS, then the CPU.
    random_state: None, an int or a `numpy.random.RandomState`: draws weights and batches.

    After `fit` there are `classes_` (K,), `n_features_in_`, `network_` (on the CPU, in evaluation mode), `history_`,
    the share of y that the network predicts after each epoch, and `example_weights_` (N,), the weight that each example
    had in the last epoch, 1 being its equal share; None with a method that does not weigh.
    """

    def __init__(
        self,
        method="gce",
        *,
        model="mlp",
        image_shape=None,
        epochs=None,
        batch_size=128,
        optimizer="adam",
        learning_rate=None,
        weight_decay=0.0,
        options=None,
        scale=True,
        device="auto",
        random_state=0,
    ):
        self.method = method
        self.model = model
        self.image_shape = image_shape
        self.epochs = epochs
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.options = options
        self.scale = scale
        self.device = device
        self.random_state = random_state

    def fit(self, X, y, X_clean=None, y_clean=None) -> RobustClassifier:
        """Learn from X (N, D) with given labels y (N,), and a clean set X_clean (M, D), y_clean (M,) that is trusted.

        The clean set is no part of X. Its labels may name classes that y does not have. Nothing that is handed in is
        changed.

        Raises a ValueError, before any training, for missing or infinite numbers, for labels that are no classes, for
        one class only, and for a method that lacks the clean set that it needs.
        """
        X, y = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(y)
        check_choice("method", self.method, METHODS)
        X_clean, y_clean = self._check_clean(X_clean, y_clean, y)
        rows = np.concatenate([X, X_clean])
        self.classes_, labels = np.unique(np.concatenate([y, y_clean]), return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"y has one class only, {self.classes_[0]!r}; a classifier needs two or more")
        batch_size = min(check_integer("batch_size", self.batch_size, 1), len(y))
        epochs = max(EPOCHS, math.ceil(STEPS / math.ceil(len(y) / batch_size))) if self.epochs is None else self.epochs
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))

        shift, spread = rows.mean(0), rows.std(0)
        if self.image_shape is not None:
            shift, spread = rows.mean(), rows.std()
        self._shift, self._spread = (shift, np.where(spread > 0, spread, 1)) if self.scale else (0.0, 1.0)
        images, names = self._images(rows), tuple(map(str, range(len(self.classes_))))
        data = Dataset("X", names, images, labels, images[:0], labels[:0])
        trusted = np.arange(len(rows)) >= len(X) if len(X_clean) else None
        task = make_task(data, given=labels, true=None, clean=trusted, device=self.device)
        networks: list[nn.Module] = []  # the network; after it, the second one of methods that have two

        def make() -> nn.Module:
            networks.append(build_model(self.model, images.shape[1:], len(names), seed=seed + len(networks)))
            return networks[-1]

        records = list(train(
            task, self.method, model=make, epochs=epochs, batch_size=batch_size, optimizer=self.optimizer,
            learning_rate=self.learning_rate, weight_decay=self.weight_decay, seed=seed, **self._options(),
        ))  # fmt: skip
        self.history_ = [record.given_accuracy for record in records]
        weights = records[-1].example_weights
        self.example_weights_ = None if weights is None else weights.double().cpu().numpy()
        self.network_ = networks[0].to("cpu").eval()
        return self

    def predict_proba(self, X) -> np.ndarray:
        """(N, K): how sure the network is of each of `classes_`, from 0 to 1; a row sums to 1."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        with torch.inference_mode():
            parts = [self.network_(part).softmax(1) for part in self._images(X).split(4096)]
        return torch.cat(parts).double().numpy()

    def predict(self, X) -> np.ndarray:
        """(N,): the class of `classes_` that the network is surest of."""
        check_is_fitted(self)
        return self.classes_[self.predict_proba(X).argmax(1)]

    def _check_clean(self, X_clean, y_clean, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The clean set as arrays (M, D) and (M,); of no rows where there is none."""
        if (X_clean is None) != (y_clean is None):
            raise ValueError("X_clean and y_clean go together; hand in both, or neither")
        if X_clean is None:
            if METHODS[self.method].needs_clean:  # type: ignore[attr-defined]
                others = ", ".join(name for name, kind in METHODS.items() if not kind.needs_clean)  # type: ignore
                raise ValueError(
                    f"method={self.method!r} needs a clean set; call fit(X, y, X_clean, y_clean) with examples whose "
                    f"labels you trust, or take a method that needs none: {others}"
                )
            return np.empty((0, self.n_features_in_)), y[:0]
        X_clean = validate_data(self, X_clean, dtype=np.float64, reset=False)
        y_clean = column_or_1d(y_clean, warn=True)
        if len(y_clean) != len(X_clean):
            raise ValueError(f"y_clean has {len(y_clean)} labels for {len(X_clean)} rows of X_clean")
        check_classification_targets(y_clean)
        if (y.dtype.kind in "biuf") != (y_clean.dtype.kind in "biuf"):
            raise ValueError(f"y_clean has labels of another kind than y: {y_clean[0]!r}, and not such as {y[0]!r}")
        return X_clean, y_clean

    def _options(self) -> dict[str, object]:
        if self.options is not None and not isinstance(self.options, Mapping):
            raise ValueError(f"options={self.options!r} must be a mapping of the method's options, or None")
        return dict(self.options or {})

    def _images(self, rows: np.ndarray) -> Tensor:
        """Rows (N, D) as the network takes them, scaled: (N, C, H, W) float32, a table's as images of one line."""
        shape = (1, 1, rows.shape[1]) if self.image_shape is None else tuple(self.image_shape)
        if len(shape) != 3 or math.prod(shape) != rows.shape[1]:
            raise ValueError(
                f"image_shape={self.image_shape!r} must be (channels, height, width) with a product of "
                f"{rows.shape[1]}, the columns of X"
            )
        scaled = (rows - self._shift) / self._spread
        return torch.from_numpy(scaled.astype(np.float32)).reshape(-1, *shape)
