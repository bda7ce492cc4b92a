"""What a model is worth on episodes that it has not seen."""

import numpy as np
import torch

from implicit_bc.methods import Model
from implicit_bc.training.batches import TrainingData, load_batch, spread_rows

VALIDATION_STEPS = 256
"""Steps per validation, the same ones every time."""


@torch.no_grad()
def validate(model: Model, data: TrainingData, held_out: np.ndarray, seed: int) -> dict[str, float]:
    """Loss, and error of the action that inference finds, in thousandths of its unit ([mm]).

    The loss alone tells little. Where the demonstrations have several modes an error of zero is out
    of reach, which is why the median stands beside the mean.
    """
    device = model.low.device
    rows = held_out[spread_rows(len(held_out), VALIDATION_STEPS)]
    observation, action = load_batch(data, rows, device)
    generator = torch.Generator(device).manual_seed(seed)
    was_training = model.training
    model.eval()
    losses = model.losses(observation, action, generator)
    best = model.decide(observation, generator).best
    model.train(was_training)
    error = 1e3 * (model.action.inverse(best) - action).norm(dim=1)
    return {f'validation/{name}': float(value) for name, value in losses.items()} | {
        'validation/action_error_mm': float(error.mean()),
        'validation/action_error_median_mm': float(error.median()),
    }
