"""Pictures: tasks and records in, a `Figure` out. No pyplot state, so that notebooks, widgets and tests share them.

Every figure is as wide as the page, has text of at least 11 points, and carries its own alternative text (`.alt`).
"""

from nlkit.plots.belts import belts, predicted_classes
from nlkit.plots.boundaries import decision_boundaries
from nlkit.plots.curves import by_ratio, compare_methods, memorization_curves, overfitting
from nlkit.plots.examples import labelled_images, predictions_over_time, weighted_images
from nlkit.plots.figure import Figure
from nlkit.plots.headline import headline_bars, headline_curves, nothing_yet
from nlkit.plots.lines import lines
from nlkit.plots.look_ahead import look_ahead_steps
from nlkit.plots.losses import losses_and_threshold, losses_over_time
from nlkit.plots.maps import win_map
from nlkit.plots.matrices import estimated_matrix, transition_matrices
from nlkit.plots.mixing import mentormix_steps, mixed_batch
from nlkit.plots.overview import noise_overview
from nlkit.plots.panels import Curve, training_curves
from nlkit.plots.published import beside_published
from nlkit.plots.ranking import kept_orders, right_and_second, told_apart
from nlkit.plots.ratios import ratio_curves
from nlkit.plots.settings import by_setting
from nlkit.plots.standings import explained_labels, leaderboard, worth
from nlkit.plots.style import KINDS_OF_LABEL, method_style, text_color
from nlkit.plots.tiles import image_array
from nlkit.plots.weights import weights_now, weights_part

__all__ = [
    "KINDS_OF_LABEL", "Curve", "Figure", "belts", "beside_published", "by_ratio", "by_setting", "compare_methods",
    "decision_boundaries",
    "estimated_matrix", "explained_labels", "headline_bars", "headline_curves", "image_array", "kept_orders",
    "labelled_images", "leaderboard", "lines", "look_ahead_steps", "losses_and_threshold", "losses_over_time",
    "memorization_curves", "mentormix_steps", "method_style", "mixed_batch", "noise_overview", "nothing_yet",
    "overfitting", "predicted_classes", "predictions_over_time", "ratio_curves", "right_and_second", "text_color",
    "told_apart", "training_curves", "transition_matrices", "weighted_images", "weights_now", "weights_part", "win_map",
    "worth",
]  # fmt: skip
