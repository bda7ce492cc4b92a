"""The whole dataset in a GPU's memory, where it fits: batches are then gathered there."""

import numpy as np
import torch
from torch import Tensor

from implicit_bc.training.data import TrainingData

SHARE = 0.5
"""Of the free memory, for data; the rest is for activations."""


class DeviceData:
    """A dataset's arrays on a device."""

    def __init__(self, data: TrainingData, device: torch.device) -> None:
        """Copy `data`."""
        self._device = device
        self._observations = torch.tensor(np.asarray(data.observations), device=device)
        self._index = torch.tensor(data.index, device=device)
        self._actions = torch.tensor(data.actions, device=device)

    def batch(self, rows: np.ndarray, shifts: np.ndarray | None = None) -> tuple[Tensor, Tensor]:
        """Observations (B, T, ...) and actions (B, A) of `rows`; see `batches.load_batch`."""
        chosen = torch.from_numpy(rows).to(self._device)
        observation = self._observations[self._index[chosen]]
        if shifts is not None:
            observation = _shifted(observation, torch.from_numpy(shifts).to(self._device))
        return observation, self._actions[chosen]


def fits(data: TrainingData, device: torch.device) -> bool:
    """Whether `data` should live on `device`: on a GPU with room for it. CPUs have it in memory."""
    if device.type != 'cuda':
        return False
    free, _ = torch.cuda.mem_get_info(device)
    return data.observations.nbytes + data.index.nbytes + data.actions.nbytes <= SHARE * free


def _shifted(frames: Tensor, shifts: Tensor) -> Tensor:
    """`augmentation.shift_frames` on tensors."""
    batch, _, height, width = frames.shape[:4]
    down, right = shifts[:, :1], shifts[:, 1:]
    rows = (torch.arange(height, device=frames.device) - down).clamp(0, height - 1)
    columns = (torch.arange(width, device=frames.device) - right).clamp(0, width - 1)
    observation = torch.arange(batch, device=frames.device)[:, None, None]
    gathered = frames[observation, :, rows[:, :, None], columns[:, None, :]]  # (B, h, w, T, 3)
    return gathered.permute(0, 3, 1, 2, 4)
