"""How much memory something needs beyond what is there already."""

import ctypes
from collections.abc import Callable
from pathlib import Path

import torch

STATUS, CLEAR = Path('/proc/self/status'), Path('/proc/self/clear_refs')


def peak_bytes(work: Callable[[], object], device: torch.device) -> int | None:
    """Highest memory on `device` while `work` runs, above that before; None if nobody counts it.

    On a GPU PyTorch counts its tensors. On a CPU it is the resident memory of the process, which
    Linux counts in pages of 4 kB; memory that the C library has kept is given back before.
    """
    if device.type == 'cuda':
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        work()
        return torch.cuda.max_memory_allocated(device) - before
    try:
        ctypes.CDLL(None).malloc_trim(0)
        CLEAR.write_text('5')  # the high-water mark begins anew
        before = _resident('VmRSS')
        work()
        return max(0, _resident('VmHWM') - before)
    except (OSError, AttributeError, LookupError):  # not Linux, or not glibc
        return None


def _resident(field: str) -> int:
    for line in STATUS.read_text().splitlines():
        name, _, value = line.partition(':')
        if name == field:
            return 1024 * int(value.split()[0])
    raise LookupError(field)
