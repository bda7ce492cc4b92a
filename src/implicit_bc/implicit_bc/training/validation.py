"""What a model is worth on episodes that it has not seen."""

import numpy as np
import torch
from torch import Tensor

from implicit_bc.methods import Model
from implicit_bc.methods.method import at_rest
from implicit_bc.training.batches import TrainingData, load_batch, spread_rows

VALIDATION_STEPS = 256
"""Steps per validation, the same ones every time."""
AT_ONCE = 16
"""Of them in one piece, as in a micro-batch of images, so that validation does not take several
times the memory of training."""


@torch.no_grad()
def validate(model: Model, data: TrainingData, held_out: np.ndarray, seed: int) -> dict[str, float]:
    """Loss, and error of the action that inference finds, in thousandths of its unit ([mm]).

    The loss alone tells little. Where the demonstrations have several modes an error of zero is out
    of reach, which is why the median stands beside the mean.
    """
    device = model.low.device
    rows = held_out[spread_rows(len(held_out), VALIDATION_STEPS)]
    generator = torch.Generator(device).manual_seed(seed)
    losses, errors = dict[str, float](), list[Tensor]()
    with at_rest(model):
        for start in range(0, len(rows), AT_ONCE):
            observation, action = load_batch(data, rows[start : start + AT_ONCE], device)
            for name, loss in model.losses(observation, action, generator).items():
                losses[name] = losses.get(name, 0.0) + float(loss) * len(action) / len(rows)
            best = model.decide(observation, generator).best
            errors.append((model.action.inverse(best) - action).norm(dim=1))
    error = 1e3 * torch.cat(errors)
    return {f'validation/{name}': loss for name, loss in losses.items()} | {
        'validation/action_error_mm': float(error.mean()),
        'validation/action_error_median_mm': float(error.median()),
    }
