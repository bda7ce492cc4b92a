"""Implicit behavioral cloning in PyTorch: energies, samplers, datasets, training, evaluation."""
