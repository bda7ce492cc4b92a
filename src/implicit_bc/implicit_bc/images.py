"""Camera frames as network input."""

import torch
from torch import Tensor

from implicit_bc.normalization import Normalizer


def stack_frames(frames: Tensor, normalizer: Normalizer) -> Tensor:
    """Frames (B, T, h, w, 3) uint8 -> (B, 3T, h, w) float, normalized, channels oldest first.

    The axes are permuted, not reshaped: a reshape would deal the pixels of each frame out over all
    channels. The result is stored channels-last, which CPU convolutions want.
    """
    batch, history, height, width, channels = frames.shape
    stacked = frames.new_empty((batch, height, width, history * channels))
    # One whole channel at a time: moving three bytes of a pixel at a time takes ten times as long.
    for time in range(history):
        for channel in range(channels):
            stacked[..., channels * time + channel] = frames[:, time, :, :, channel]
    scale = (1.0 / (255.0 * normalizer.scale)).repeat(history)
    offset = (-normalizer.offset / normalizer.scale).repeat(history)
    return torch.addcmul(offset, stacked.float(), scale).permute(0, 3, 1, 2)
