"""Training: typed configuration, the loop, checkpoints."""
