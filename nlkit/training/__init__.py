"""Training on the kit's own task: the loop, its experiment, recipes and checkpoints."""
