"""Going through the suspects: decisions that are kept beside the report, and what they make of noise and accuracy.

Decisions are a file of their own, `decisions.json`, by the ids of the examples, with a fingerprint of the data that
they are of. It is written whole after each decision, so that what was decided outlives a kernel that dies.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nlkit.audit.audit import RIGHT, UNSURE, WRONG, Audit
from nlkit.audit.collection import Collection
from nlkit.audit.space import dense, space_of
from nlkit.checks import DataError, shown
from nlkit.files import to_json, write_whole

DECISIONS = "decisions.json"
FOLDS, MOST = 5, 5_000  # parts of the quick model's cross-validation, and examples that it is of at most
DRAWS = 10  # of the bootstrap after a decision: half as many as an audit's, as somebody is waiting


class Standing(NamedTuple):
    """What the decisions so far come to. Shares are in [0, 1]."""

    judged: int  # suspects with a decision, unsure ones included
    wrong: int  # of them, those that are called wrong or have another label now
    right: int
    share: float  # estimated share of wrong labels of all: what was decided as decided, of the rest the estimate
    low: float  # its 95 % interval, which tells the chance in which examples were collected and nothing else
    high: float
    accuracy: float  # of the quick model, cross-validated, see `QuickModel`

    def __str__(self) -> str:
        """In a sentence or two, as a panel tells it."""
        unsure = self.judged - self.wrong - self.right
        told = f"{self.judged:,} judged: {self.wrong:,} wrong, {self.right:,} right, {unsure:,} unsure. "
        return told + (
            f"Estimated wrong, of all labels: {self.share:.1%} ({self.low:.1%} to {self.high:.1%}; lower bounds where "
            f"hardly a suspect is left). A quick model predicts {self.accuracy:.1%} of the labels as they now stand."
        )


def standing(found: Audit, accuracy: float) -> Standing:
    """What an audit with its decisions comes to; `accuracy` is the quick model's."""
    verdicts = Counter(found.decisions.values())
    right, unsure = verdicts[RIGHT], verdicts[UNSURE]
    given, names = found.collection.given, found.collection.class_names
    right += sum(names[given[place]] == verdict for place, verdict in found.decisions.items())
    return Standing(
        len(found.decisions), len(found.decisions) - right - unsure, right, *interval_of_share(found), accuracy
    )


def interval_of_share(found: Audit) -> tuple[float, float, float]:
    """The estimated share of wrong labels and its interval: of what is settled, nothing is left to chance.

    Nothing is concluded from the share of wrong ones among those judged: they were chosen for being suspicious. For the
    same reason the rest, less and less suspicious, is taken for too clean as the list is gone down: then the share is
    hardly more than what was found, which is a lower bound. Where no error is seen among n others, up to 3 / n of them
    may be wrong by chance alone (the rule of three).
    """
    estimate, count = found.estimates[found.likely], found.collection.count
    open_ = int((~found.settled).sum()) / count
    share = found.wrong_share
    low, high = (share + (end - estimate.ratio) * open_ for end in (estimate.ratio_low, estimate.ratio_high))
    found_wrong = share - estimate.ratio * open_
    return share, max(found_wrong, float(low)), min(1.0, max(float(high), share + min(3 / count, open_)))


class QuickModel:
    """A logistic regression on at most 50 features (principal components where there are more), in five parts.

    Its accuracy is the share of labels, as they stand after the decisions, that it predicts of parts that it has not
    learned from; what is wrong and has no other label is left out of both. A label put right helps twice, where it is
    learned from and where it is graded by. The parts, and the 5,000 examples that it is of where there are more, stay
    the same through all decisions, so that nothing but these moves the number.
    """

    def __init__(self, collection: Collection):
        self._collection = collection
        self._space: np.ndarray | None = None

    def graded(self, labels: np.ndarray) -> Iterator[np.ndarray]:
        """Part by part, which of its labels (N,) the model predicts; -1 is no label."""
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        chosen = np.random.default_rng(0).permutation(self._collection.count)[:MOST]
        if self._space is None:
            self._space = space_of(dense(self._collection))
        chosen = chosen[np.argsort(self._collection.given[chosen], kind="stable")]  # each part has each class
        part = np.arange(len(chosen)) % FOLDS
        known = labels[chosen] >= 0
        for fold in range(FOLDS):
            learned, held_out = chosen[known & (part != fold)], chosen[known & (part == fold)]
            if not len(held_out) or len(set(labels[learned].tolist())) < 2:
                continue
            model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=300))
            model.fit(self._space[learned], labels[learned])
            yield model.predict(self._space[held_out]) == labels[held_out]


def reviewed(found: Audit, decisions: Mapping[int, str], model: QuickModel) -> Iterator[Standing | None]:
    """The standing after these decisions, at the end; before it None after each part of the work, so that whoever
    drives may stop there."""
    told = found if dict(decisions) == dict(found.decisions) else found.decide(decisions, draws=DRAWS)
    yield None
    hits = []
    for part in model.graded(told.labels):
        hits.append(part)
        yield None
    yield standing(told, float(np.concatenate(hits).mean()) if hits else float("nan"))


def fingerprint(collection: Collection) -> str:
    """What tells a collection from others: ids, classes, given labels and features, wherever its files lie."""
    told = hashlib.blake2b(digest_size=16)
    told.update(json.dumps([collection.ids, collection.class_names]).encode())
    told.update(np.ascontiguousarray(collection.given).tobytes())
    features = collection.features
    arrays = (features,) if isinstance(features, np.ndarray) else (features.data, features.indices, features.indptr)
    for array in arrays:
        told.update(np.ascontiguousarray(array).tobytes())
    return told.hexdigest()


class Decisions:
    """The file of the decisions on a collection."""

    def __init__(self, file: Path, collection: Collection):
        self.file, self._collection, self._fingerprint = file, collection, fingerprint(collection)

    def keep(self, decisions: Mapping[int, str]) -> None:
        """Write them, place -> verdict, whole or not at all. Raises an OSError where that can't be."""
        self.file.parent.mkdir(exist_ok=True)
        of_ids = {self._collection.ids[place]: verdict for place, verdict in decisions.items()}
        content = {"data": self._collection.source, "fingerprint": self._fingerprint, "decisions": of_ids}
        write_whole(self.file, to_json(content, indent=1) + "\n")

    def kept(self) -> dict[int, str]:
        """Those in the file, place -> verdict; none where there is no file.

        Raises a ValueError for decisions of other data, a DataError for a file that has none.
        """
        if not self.file.exists():
            return {}
        try:
            content = json.loads(self.file.read_text(encoding="utf-8"))
            source, of, told = content["data"], content["fingerprint"], dict(content["decisions"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"{self.file} can't be read as decisions: {shown(error)}; name another folder, or move it"
            ) from error
        if of != self._fingerprint:
            raise ValueError(
                f"folder={str(self.file.parent)!r} has {len(told):,} decisions of other data ({source}), or of these "
                f"before their labels or features changed; name another folder, or move {self.file.name}"
            )
        place = {id: number for number, id in enumerate(self._collection.ids)}
        verdicts = {WRONG, RIGHT, UNSURE, *self._collection.class_names}
        if strange := [id for id, verdict in told.items() if id not in place or verdict not in verdicts]:
            raise DataError(
                f"{self.file} has a decision that can't be, {strange[0]}: {told[strange[0]]!r}; take it out of the file"
            )
        return {place[id]: verdict for id, verdict in told.items()}
