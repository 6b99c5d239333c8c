"""Kinds of noise: transition matrices, noise by instance, images that are of no class, labels by people."""
