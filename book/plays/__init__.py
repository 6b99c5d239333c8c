"""The book's players: sliders over stored runs, for readers who have a browser and nothing else."""
