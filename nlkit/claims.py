"""Claims: what the course says, where it comes from, and what must be measured for it to hold.

A notebook measures, and hands its numbers to `check_claims`; sentence, source, published value and bound stand
here alone, so that no number is typed twice. A claim that does not hold is shown as such.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass

from nlkit.checks import check_choice, check_number

WEB = "Jiang et al. 2020"
TUTORIAL = "the tutorial that the course starts from (MNIST, 80 % noise, 500 clean)"


@dataclass(frozen=True)
class Claim:
    """One sentence that can turn out false. It holds when the measured value is in [at_least, at_most]."""

    id: str
    sentence: str
    source: str
    measure: str  # what the measured number is, in words
    at_least: float | None = None
    at_most: float | None = None
    published: str = "—"
    unit: str = "%"  # "%" shows a share in [0, 1] in percent; "points" a difference of two shares; "x" a ratio

    def holds(self, value: float) -> bool:
        return (self.at_least is None or value >= self.at_least) and (self.at_most is None or value <= self.at_most)

    def show(self, value: float | None) -> str:
        if value is None:
            return "—"
        if self.unit == "x":
            return f"{value:.3g}×" if value >= 1e-2 else f"{value:.0e}"
        return f"{100 * value:.1f} {self.unit}"

    @property
    def bound(self) -> str:
        if self.at_least is not None and self.at_most is not None:
            return f"{self.show(self.at_least)} to {self.show(self.at_most)}"
        return f"≥ {self.show(self.at_least)}" if self.at_most is None else f"≤ {self.show(self.at_most)}"


CLAIMS = {claim.id: claim for claim in [
    # 01: label noise
    Claim("exact_ratio", "Asked for 80 % symmetric noise, 80 % of the labels are wrong.", "definition",
          "wrong labels among the noisy set", at_least=0.799, at_most=0.801, published="80 %"),
    Claim("own_class", "Symmetric noise that may draw the own class is weaker than its name: 80 % is really 72 %.",
          "0.8 · 9/10, by hand", "wrong labels among the noisy set", at_least=0.719, at_most=0.721, published="72 %"),
    Claim("doubled_class", "Sending draws that hit the own class to one other class gives that one twice its share.",
          TUTORIAL, "largest share of a class's wrong labels over the mean of the others", at_least=1.9, at_most=2.1,
          published="—", unit="x"),
    Claim("asymmetric_half", "Asymmetric noise of 40 % on half of the classes changes 20 % of all labels.",
          "Patrini et al. 2017", "wrong labels among the noisy set", at_least=0.199, at_most=0.201, published="20 %"),
    Claim("nested", "Every label that is wrong at 30 % is wrong at 40 % too, with the same given label.",
          "how the kit draws noise", "share of the labels wrong at 30 %", at_least=1.0, published="—"),
    # 02: memorization
    Claim("standard_falls", "Standard training peaks early and then loses much of what it had learned.",
          TUTORIAL, "best minus last test accuracy, mean of 3 seeds", at_least=0.25, published="33.6 points",
          unit="points"),
    Claim("early_learning", "At its best epoch the network sees through most wrong labels and predicts the true class.",
          "Arpit et al. 2017; Liu et al. 2020 (ELR)", "wrong labels recovered at the best epoch, mean of 3 seeds",
          at_least=0.6),
    Claim("memorizes", "At the end it predicts more of the wrong labels as given than as their true class.",
          "Zhang et al. 2017", "memorized minus recovered at the end, mean of 3 seeds", at_least=0.05, unit="points"),
    Claim("training_misleads", "While test accuracy falls, accuracy on the given labels rises.",
          TUTORIAL, "rise of given-label accuracy from the best epoch to the last", at_least=0.15,
          published="10 points", unit="points"),
    Claim("noise_costs_more", "The more noise, the more is lost after the peak.", "measured here",
          "loss after the peak at 80 % minus at 20 %", at_least=0.05, unit="points"),
    # 03: meta-reweighting
    Claim("same_weights", "One forward-mode product gives the same weights as differentiating through a recorded step.",
          "Ren et al. 2018, algorithm 1, against the kit's own form", "largest relative difference in 30 steps",
          at_most=1e-3, unit="x"),
    Claim("reweight_holds", "Reweighting does not overfit: it keeps its best test accuracy to the end.",
          TUTORIAL, "best minus last test accuracy, mean of 3 seeds", at_most=0.08, published="about 0 points",
          unit="points"),
    Claim("reweight_beats_standard", "At 80 % noise, reweighting ends far above standard training.",
          TUTORIAL, "last test accuracy, reweighting minus standard, mean of 3 seeds", at_least=0.15,
          published="45 points", unit="points"),
    Claim("weight_finds_right", "Right labels get more than their share of the weight.", "Ren et al. 2018",
          "weight on the 20 % of right labels, last epoch, mean of 3 seeds", at_least=0.3),
    Claim("reweight_beats_clean_80", "At 80 % noise with 50 clean a class, reweighting beats the clean set alone.",
          "what the tutorial leaves open", "last test accuracy, reweighting minus clean only, mean of 3 seeds",
          at_least=0.0, unit="points"),
    Claim("reweight_beats_clean_40", "At 40 % noise with 20 clean a class, it beats training on the clean set alone.",
          "what the tutorial leaves open", "last test accuracy, reweighting minus clean only, mean of 3 seeds",
          at_least=0.0, unit="points"),
    # 04: MentorMix
    Claim("small_loss_is_right", "Early on, a small loss tells right labels from wrong ones.",
          "Arpit et al. 2017; Jiang et al. 2018", "right labels among the 40 % of a batch with the smallest loss",
          at_least=0.8),
    Claim("mentormix_beats_parts", "MentorMix ends above both of its parts where it matters most, at 80 % noise.",
          "Jiang et al. 2020, ablation", "MentorMix minus the better of mixup and MentorNet, mean of 3 seeds",
          at_least=0.02, unit="points"),
    Claim("mentormix_never_below", "From 20 to 80 % noise, MentorMix never ends below standard training.",
          "Jiang et al. 2020", "smallest lead over standard training at the end, over four ratios", at_least=0.0,
          unit="points"),
    Claim("guess_is_good", "The share to keep can be estimated from the given labels alone.", "how the kit chooses p",
          "largest error of the share kept, over four ratios", at_most=0.15,
          unit="points"),
    Claim("second_weighting_helps", "The second weighting helps at 80 % noise, on this small network too.",
          "Jiang et al. 2020", "last test accuracy with minus without it, mean of 3 seeds", at_least=0.0,
          unit="points"),
    Claim("classes_starve", "With one threshold for all, weighing again leaves whole classes unlearned.",
          "measured here", "classes that get less than 2 % of the predictions, of ten", at_least=0.3),
    Claim("by_class_helps", "With a threshold for each class, weighing again does help.", "measured here",
          "last test accuracy minus that of weighing once, mean of 3 seeds", at_least=0.05, unit="points"),
    # 05: beyond synthetic noise
    Claim("red_generalizes", "Networks generalize better on red noise than on blue noise of the same ratio.",
          WEB, "last test accuracy, red minus blue, mean over ten levels: lower end of its interval", at_least=0.0,
          unit="points"),
    Claim("red_no_fall", "On red noise there is hardly a fall after the peak: patterns do not come first.",
          WEB, "fall at 80 %, blue minus red: lower end of its interval", at_least=0.1, unit="points"),
    Claim("red_memorized", "Red examples are memorized far more readily than blue ones.", "measured here",
          "memorized at the end at 60 %, red minus blue, mean of 3 seeds", at_least=0.2, unit="points"),
    Claim("blue_is_not_red", "What works on blue noise may not work on red: MentorMix gains less there.",
          WEB, "its lead over standard training, blue minus red: lower end of its interval", at_least=0.01,
          published="12.6 / 4.5 points", unit="points"),
    Claim("mentormix_on_blue", "MentorMix is good on blue noise.", WEB,
          "last test accuracy minus standard training, mean over ten levels: lower end of its interval", at_least=0.0,
          published="12.6 points", unit="points"),
    Claim("mentormix_on_red", "MentorMix is good on red noise as well.", WEB,
          "last test accuracy minus standard training, mean over ten levels: lower end of its interval", at_least=0.0,
          published="4.5 points", unit="points"),
    Claim("tuning_helps_blue", "Fine-tuning a pretrained network helps on blue noise.", WEB,
          "fine-tuned minus from scratch, mean over three ratios: lower end of its interval", at_least=0.0,
          published="24 points", unit="points"),
    Claim("tuning_helps_red", "Fine-tuning a pretrained network helps on red noise.", WEB,
          "fine-tuned minus from scratch, mean over three ratios: lower end of its interval", at_least=0.0,
          unit="points"),
    # 06: noisy or clean
    Claim("map_wins", "Up to 60 % noise with up to 10 clean a class, reweighting beats the clean set alone everywhere.",
          "what the tutorial leaves open", "its lead: lowest end of the intervals of these cells", at_least=0.0,
          unit="points"),
    Claim("map_loses", "From 80 % noise on with 50 clean a class or more, it loses to the clean set alone everywhere.",
          "what the tutorial leaves open", "its lead: highest end of the intervals of these cells", at_most=0.0,
          unit="points"),
    Claim("border_falls", "The larger the clean set, the less noise it takes to make the noisy data a burden.",
          "measured here", "noise ratio at which the lead is gone, 5 clean a class minus 100", at_least=0.1,
          unit="points"),
    Claim("noise_is_worth", "With 10 clean a class, data with 40 % noise does what 20 more clean labels a class would.",
          "measured here", "clean labels that do as well alone, over those that reweighting had", at_least=3.0,
          unit="x"),
    Claim("no_information", "At 90 % noise a given label tells nothing, and reweighting is ahead nowhere.",
          "by hand: on ten classes every label is as likely", "its lead: highest of the lower ends over all sizes",
          at_most=0.0, unit="points"),
    Claim("doubt_costs", "Where no label is wrong, doubting them costs: believing them all does better.",
          "measured here", "reweighting minus standard without noise, mean over sizes: upper end", at_most=0.0,
          unit="points"),
    Claim("wins_again", "A cell where it wins, trained again: 40 % noise, 10 clean a class.", "the map",
          "last test accuracy, reweighting minus clean only, mean of 3 seeds", at_least=0.02, unit="points"),
    Claim("loses_again", "A cell where it loses, trained again: 80 % noise, 100 clean a class.", "the map",
          "last test accuracy, reweighting minus clean only, mean of 3 seeds", at_most=-0.02, unit="points"),
]}  # fmt: skip


class CheckedClaims:
    """Claims beside what was measured: a table in a notebook, and verdicts that a test can compare."""

    def __init__(self, measured: Mapping[str, float]):
        for id, value in measured.items():
            check_choice("claim", id, CLAIMS)
            check_number(f"measured[{id!r}]", value)
        self.measured = dict(measured)

    @property
    def verdicts(self) -> dict[str, bool]:
        return {id: CLAIMS[id].holds(value) for id, value in self.measured.items()}

    def print_verdicts(self) -> None:
        """One line a claim, without digits that differ between processors: this is what the tests compare."""
        for id, holds in self.verdicts.items():
            print(f"{'holds' if holds else 'does NOT hold':<14} {CLAIMS[id].sentence}")

    def _rows(self) -> list[tuple[str, ...]]:
        rows = []
        for id, value in self.measured.items():
            c = CLAIMS[id]
            rows.append((c.sentence, c.source, c.published, c.bound, f"{c.show(value)}: {c.measure}",
                         "✓ holds" if c.holds(value) else "✗ does not hold"))  # fmt: skip
        return rows

    def _repr_html_(self) -> str:
        head = ("Claim", "Source", "Published", "Holds if", "Measured here", "Verdict")
        cells = "".join(f"<th style='text-align:left'>{h}</th>" for h in head)
        body = "".join(
            "<tr>"
            + "".join(f"<td style='text-align:left;vertical-align:top'>{html.escape(c)}</td>" for c in row)
            + "</tr>"
            for row in self._rows()
        )
        return f"<table><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>"

    def __repr__(self) -> str:
        return "\n".join(" | ".join(row) for row in self._rows())


def check_claims(measured: Mapping[str, float]) -> CheckedClaims:
    """Hold measured values against the claims. measured: claim id -> value, in the units of the claim's bound.

    Raises a ValueError for an unknown id or a value that is not a number.
    """
    return CheckedClaims(measured)
