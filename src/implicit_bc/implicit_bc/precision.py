"""Less precise products while training, where the processor computes faster with them.

Convolutions multiply in bfloat16, and on a GPU the dense layers that score actions in TF32: factors
of 11 bits, summed up in float32. Everything else stays float32: weights, positions in the image,
and on a CPU the dense layers too, whose rounding to bfloat16 would be seen in the actions.
Gradients on a GPU multiply in TF32 throughout.

Convolutions that are left in float32 (inference, `precision: float32`) are float32 on a CPU; on a
GPU they are what cuDNN makes of them, which is TF32 unless `torch.backends.cudnn.allow_tf32` is
switched off.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch

from ibc_contract.errors import IbcError

Precision = Literal['auto', 'float32', 'bfloat16']


def autocast(precision: Precision, device: torch.device) -> torch.autocast:
    """Context in which convolutions use `precision`; for encoding observations only.

    `auto` is bfloat16 where the hardware multiplies it, such as CPUs with AVX512-BF16. Raises
    IbcError if bfloat16 was asked for and would only be emulated.
    """
    capable = _multiplies_bfloat16(device)
    if precision == 'bfloat16' and not capable:
        raise IbcError(f'precision bfloat16: this {device.type} only emulates it; use auto')
    return torch.autocast(device.type, torch.bfloat16, enabled=capable and precision != 'float32')


@contextmanager
def dense_layers(precision: Precision, device: torch.device) -> Iterator[None]:
    """Context in which dense layers on a GPU multiply in TF32, unless float32 was asked for."""
    with _matrix_products('highest' if precision == 'float32' else 'high', device):
        yield


@contextmanager
def full_precision(device: torch.device) -> Iterator[None]:
    """Context that leaves `autocast` and `dense_layers`: three digits are not enough here."""
    with torch.autocast(device.type, enabled=False), _matrix_products('highest', device):
        yield


@contextmanager
def _matrix_products(precision: str, device: torch.device) -> Iterator[None]:
    if device.type != 'cuda':  # on a CPU, threads would share the setting
        yield
        return
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(precision)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def _multiplies_bfloat16(device: torch.device) -> bool:
    if device.type == 'cuda':
        return torch.cuda.is_bf16_supported(including_emulation=False)
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name, False) for name in ('avx512_bf16', 'amx_bf16', 'bf16'))
