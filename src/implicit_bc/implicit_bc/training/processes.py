"""Several training processes that act as one, started by `torchrun`.

All of them hold the same weights and take the same steps; each takes the gradient of its share of
every batch, and the shares are added up. The first one alone validates, logs and writes.
"""

import importlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, distributed

from ibc_contract.errors import IbcError


@dataclass(frozen=True)
class Processes:
    """Which process this is of those that train together."""

    rank: int = 0
    count: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this is the one that writes."""
        return self.rank == 0

    def add_up(self, tensors: Sequence[Tensor]) -> None:
        """Replace `tensors` by their sums over all processes, in place; one transfer for all."""
        if self.count == 1:
            return
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        with _together():
            distributed.all_reduce(flat)
        for tensor, piece in zip(tensors, flat.split([t.numel() for t in tensors]), strict=True):
            tensor.copy_(piece.view_as(tensor))

    def as_first(self, values: Sequence[float]) -> list[float]:
        """Return what the first process passes as `values`: clocks and Ctrl-C differ."""
        shared = torch.tensor(values, dtype=torch.float64)
        if self.count > 1:
            with _together():
                distributed.broadcast(shared, src=0)
        return shared.tolist()

    def wait(self) -> None:
        """Wait until all processes are here."""
        if self.count > 1:
            with _together():
                distributed.all_reduce(torch.zeros(1))


ALONE = Processes()


@contextmanager
def _together() -> Iterator[None]:
    """Say in one line that another process is gone."""
    try:
        yield
    except RuntimeError as error:  # so do gloo and NCCL
        raise IbcError('another process of this training has ended: it says why') from error


def is_under_torchrun() -> bool:
    """Whether `torchrun` started this process beside others."""
    return int(os.environ.get('WORLD_SIZE', '1')) > 1


@contextmanager
def joined_processes() -> Iterator[Processes]:
    """Join the processes that `torchrun` started; without it, be alone.

    Tensors on GPUs are added up over NCCL, each process having a GPU of its own, those on CPUs over
    gloo. The threads of both have ended when this ends.

    Raises:
        IbcError: There are more processes than GPUs.
    """
    if not is_under_torchrun():
        yield ALONE
        return
    local, gpus = int(os.environ['LOCAL_RANK']), torch.cuda.device_count()
    if gpus:
        if local >= gpus:
            raise IbcError(
                f'torchrun: there is no GPU for process {local}, there are {gpus}: start {gpus}, '
                'or hide them (CUDA_VISIBLE_DEVICES=) to train on CPUs'
            )
        torch.cuda.set_device(local)
    # Its functions keep the group that there is when they are imported, which optimizers do: as a
    # default argument, for good. Threads that outlive `destroy_process_group` may let go of a last
    # tensor while the interpreter ends, which aborts the process. Now there is no group yet.
    importlib.import_module('torch.distributed.nn')
    distributed.init_process_group('cpu:gloo,cuda:nccl' if gpus else 'gloo')
    try:
        yield Processes(distributed.get_rank(), distributed.get_world_size())
    finally:
        distributed.destroy_process_group()
