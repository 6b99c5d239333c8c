"""Pictures: tasks and records in, a `Figure` out. No pyplot state, so that notebooks, widgets and tests share them.

Every figure is as wide as the page, has text of at least 11 points, and carries its own alternative text (`.alt`).
"""

from nlkit.plots.belts import belts, predicted_classes
from nlkit.plots.curves import by_ratio, compare_methods, lines, memorization_curves, weights_part
from nlkit.plots.examples import image_array, labelled_images, predictions_over_time, weighted_images
from nlkit.plots.headline import headline_bars, headline_curves, nothing_yet
from nlkit.plots.maps import win_map
from nlkit.plots.matrices import noise_overview, transition_matrices
from nlkit.plots.mixing import losses_and_threshold, mentormix_steps, mixed_batch
from nlkit.plots.panels import Curve, training_curves, weights_now
from nlkit.plots.published import beside_published
from nlkit.plots.ranking import kept_orders, right_and_second, told_apart
from nlkit.plots.standings import explained_labels, leaderboard, worth
from nlkit.plots.style import KINDS_OF_LABEL, Figure, method_style, text_color

__all__ = [
    "KINDS_OF_LABEL", "Curve", "Figure", "belts", "beside_published", "by_ratio", "compare_methods", "image_array",
    "explained_labels", "headline_bars", "headline_curves", "labelled_images", "leaderboard", "lines", "worth",
    "losses_and_threshold", "memorization_curves", "mentormix_steps", "method_style", "mixed_batch", "noise_overview",
    "nothing_yet",
    "predicted_classes", "predictions_over_time", "text_color", "training_curves", "transition_matrices",
    "kept_orders", "right_and_second", "told_apart", "weighted_images", "weights_now", "weights_part", "win_map",
]  # fmt: skip
