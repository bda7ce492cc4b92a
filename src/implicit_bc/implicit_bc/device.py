"""Where a network is to run, asked for by name."""

import torch

from ibc_contract.errors import IbcError


def usable_device(name: str) -> torch.device:
    """Return the device of this name: cpu, cuda, cuda:1.

    Raises:
        IbcError: PyTorch knows no such device, was built without it, or it is not in this machine.
    """
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise IbcError(
            f"device {name!r}: {reason}: use device:=cpu, or a PyTorch for this machine's GPU"
        ) from None
    return device
