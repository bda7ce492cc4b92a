"""What a model is worth on episodes that it has not seen."""

import numpy as np
import torch

from implicit_bc.dataset import Dataset
from implicit_bc.losses.info_nce import info_nce
from implicit_bc.model import ImplicitModel
from implicit_bc.samplers.derivative_free import minimize
from implicit_bc.samplers.uniform import uniform_actions
from implicit_bc.training.batches import load_batch, spread_rows
from implicit_bc.training.config import TrainConfig

VALIDATION_STEPS = 256
"""Steps per validation, the same ones every time."""


@torch.no_grad()
def validate(
    model: ImplicitModel, dataset: Dataset, held_out: np.ndarray, config: TrainConfig
) -> dict[str, float]:
    """Loss, and error of the action that inference finds [mm]. The loss alone tells little.

    Where the demonstrations have several modes an error of zero is out of reach, which is why the
    median stands beside the mean.
    """
    device = model.low.device
    rows = held_out[spread_rows(len(held_out), VALIDATION_STEPS)]
    observation, action = load_batch(dataset, rows, device)
    generator = torch.Generator(device).manual_seed(config.seed)
    embedded = model.embed(observation)
    negatives = uniform_actions(model.low, model.high, len(action), config.negatives, generator)
    candidates = torch.cat((model.action(action)[:, None], negatives), dim=1)
    loss = info_nce(model.score(embedded, candidates))
    found = minimize(
        lambda actions: model.score(embedded, actions),
        model.low,
        model.high,
        len(action),
        config.sampler,
        generator,
    )
    error_mm = 1e3 * (model.action.inverse(found.best) - action).norm(dim=1)
    return {
        'validation/loss': float(loss),
        'validation/action_error_mm': float(error_mm.mean()),
        'validation/action_error_median_mm': float(error_mm.median()),
    }
