"""What a benchmark ran on: figures without it mean nothing."""

import os
import platform
from pathlib import Path

import torch


def device_name(device: torch.device) -> str:
    """Name of the processor or GPU behind `device`, with the CPU threads in use."""
    if device.type == 'cuda':
        return torch.cuda.get_device_name(device)
    return f'{processor()}, {torch.get_num_threads()} of {os.cpu_count()} cores'


def processor() -> str:
    """Name of this machine's processor."""
    try:
        lines = Path('/proc/cpuinfo').read_text().splitlines()
    except OSError:  # not Linux
        lines = []
    names = [line.partition(':')[2].strip() for line in lines if line.startswith('model name')]
    return names[0] if names else platform.processor() or platform.machine()
