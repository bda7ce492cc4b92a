"""One step of gradient descent, which is only taken if every number in it is finite."""

from collections.abc import Mapping
from contextlib import nullcontext

import torch
from torch import Tensor

from ibc_contract.errors import IbcError
from implicit_bc.methods import Model
from implicit_bc.networks.spectral_norm import power_iteration
from implicit_bc.threads import one_thread
from implicit_bc.training.checkpoint import TrainState
from implicit_bc.training.gradients import Gradients
from implicit_bc.training.processes import ALONE, Processes


class TrainingDiverged(IbcError):
    """A loss or a gradient is not finite; the weights are still those of the step before."""


def update(
    state: TrainState,
    gradients: Gradients,
    observation: Tensor,
    action: Tensor,
    processes: Processes = ALONE,
) -> dict[str, Tensor]:
    """Do one step of gradient descent on a batch; return its losses, detached.

    Args:
        state: What is trained.
        gradients: How gradients are taken.
        observation: (b, T, ...) of this process's share of the batch.
        action: (b, A), likewise.
        processes: Those that share the batch.

    Raises:
        TrainingDiverged: Names the step and the loss or the gradient; nothing has been updated.
    """
    # Threads that share an operation go on looking for work for milliseconds after it: on the cores
    # where others are about to take the next gradient.
    with one_thread() if gradients.in_threads else nullcontext():
        losses = gradients.take(state.step, observation, action)
        taken = [p.grad for p in state.model.parameters() if p.grad is not None]
        processes.add_up([*losses.values(), *taken])
        _require_finite(state.model, losses, state.step)
        state.optimizer.step()
        power_iteration(state.model)
        if state.average is not None:
            state.average.update_parameters(state.model)
    return losses


def _require_finite(model: Model, losses: Mapping[str, Tensor], step: int) -> None:
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    # One number to look at: reading it waits for the device, once a step.
    total = torch.nn.utils.get_total_norm([*losses.values(), *gradients])
    if total.isfinite():
        return
    for name, loss in losses.items():
        if not loss.isfinite():
            raise TrainingDiverged(f'step {step}: the {_words(name)} is not finite')
    for name, parameter in model.named_parameters():
        if parameter.grad is not None and not parameter.grad.isfinite().all():
            raise TrainingDiverged(f'step {step}: the gradient of {name} is not finite')
    raise TrainingDiverged(f'step {step}: the gradient is too large for float32')


def _words(name: str) -> str:
    return 'loss' if name == 'loss' else f'loss {name!r}'
