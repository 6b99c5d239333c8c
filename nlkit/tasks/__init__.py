"""Tasks: a data set made noisy, with its clean set and its test set."""
