"""Running out of memory, in words."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from ibc_contract.errors import IbcError

CPU_ALLOCATOR = "can't allocate memory"
"""What PyTorch's CPU allocator says, in a RuntimeError; on a GPU there is an error of its own."""


@contextmanager
def memory_errors(doing: str, remedy: str) -> Iterator[None]:
    """Turn a failed allocation into an IbcError: out of memory, `doing` what, and the `remedy`.

    Where the system overcommits memory, it may end the process instead of refusing an allocation;
    nothing can be said then.
    """
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise IbcError(f'out of memory {doing}: {remedy}') from error
    except RuntimeError as error:
        if CPU_ALLOCATOR not in str(error):
            raise
        raise IbcError(f'out of memory {doing}: {remedy}') from error
