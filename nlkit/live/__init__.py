"""Live panels: one call each from a notebook. They show what the package computes, and hold no logic of their own."""

from nlkit.live.mentormix_panel import mentormix
from nlkit.live.noise_panel import noise
from nlkit.live.training_panel import training
from nlkit.live.weights_panel import weights

__all__ = ["mentormix", "noise", "training", "weights"]
