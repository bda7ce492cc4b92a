"""Convolutions in bfloat16 while training, where the processor computes faster with it.

Everything else stays float32: weights, positions in the image, and the dense layers that score
actions, whose rounding would be seen in the actions.
"""

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


def full_precision(device: torch.device) -> torch.autocast:
    """Context that leaves `autocast`: bfloat16's three digits are not enough here."""
    return torch.autocast(device.type, enabled=False)


def _multiplies_bfloat16(device: torch.device) -> bool:
    if device.type == 'cuda':
        return torch.cuda.is_bf16_supported(including_emulation=False)
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name, False) for name in ('avx512_bf16', 'amx_bf16', 'bf16'))
