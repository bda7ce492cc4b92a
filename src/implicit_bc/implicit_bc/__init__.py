"""Implicit behavioral cloning in PyTorch: energies, samplers, datasets, training, evaluation."""

import os

# PyTorch's CPU threads wait for each other by spinning, by default for milliseconds. Where another
# process takes one of the cores, that made training six times slower (1.0 instead of 6.6 steps per
# second on two shared cores); a short spin costs nothing on idle ones. The OpenMP library reads
# this once, when PyTorch is imported, which this package does only after this line.
os.environ.setdefault('GOMP_SPINCOUNT', '2000')
