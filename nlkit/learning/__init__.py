"""What learns: networks, optimizers, augmentation, devices, and what a method is handed."""
