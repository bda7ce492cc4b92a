"""CPU threads of PyTorch, for callers that do not import it themselves."""

import torch


def use_threads(count: int) -> None:
    """Let one operation of PyTorch use up to `count` CPU threads in this process."""
    torch.set_num_threads(count)
