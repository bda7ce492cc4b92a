"""Time of a training step at the paper's settings, against a plain eager implementation.

Plain is: the whole batch in one piece, features and action concatenated, all layers for all
candidates, float32 with images as PyTorch lays them out by default, and Adam as it comes.
"""

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from ibc_contract.errors import IbcError
from implicit_bc.benchmarks.direct import direct_energy
from implicit_bc.benchmarks.machine import device_name
from implicit_bc.losses import info_nce
from implicit_bc.methods import DerivativeFree, Model
from implicit_bc.methods.derivative_free import DerivativeFreeModel
from implicit_bc.networks.energy import NetworkConfig
from implicit_bc.networks.mlp import ValueConfig
from implicit_bc.normalization import ActionBounds, Affine
from implicit_bc.samplers import uniform_actions
from implicit_bc.scaling import Scaling
from implicit_bc.spaces import Spaces
from implicit_bc.training.checkpoint import TrainState
from implicit_bc.training.config import load_config
from implicit_bc.training.gradients import Gradients, MicroBatch, draw_seed, micro_batches_of
from implicit_bc.training.update import update


@dataclass(frozen=True)
class Setting:
    """What is trained."""

    name: str
    spaces: Spaces
    network: NetworkConfig
    batch: int
    negatives: int
    tolerance: float
    """Largest difference of the gradients on a CPU, as a share of their norm."""
    gpu_tolerance: float
    """On a GPU, where dense layers multiply in TF32."""


def paper_settings() -> tuple[Setting, Setting]:
    """D.2 "Simulated Pushing, States" and D.5 "Pushing", implicit."""
    value = ValueConfig(width=128, depth=8, kind='residual', init='normal')
    real = load_config('real_push')
    return (
        Setting('states', Spaces((2, 10), 2), NetworkConfig(value=value), 512, 256, 1e-4, 0.01),
        # bfloat16 has three digits.
        Setting('pixels', Spaces((2, 90, 120, 3), 2), real.network, 128, 256, 0.05, 0.05),
    )


@dataclass
class Side:
    """One of the two that are compared: its model, its optimizer, and how long its steps took."""

    model: DerivativeFreeModel
    optimizer: torch.optim.Optimizer
    wall_s: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)

    def time(self, step: Callable[[], Any]) -> None:
        """Run `step` and note what it took."""
        started, busy = time.perf_counter(), time.process_time()
        step()
        if self.model.low.device.type == 'cuda':
            torch.cuda.synchronize()
        self.wall_s.append(time.perf_counter() - started)
        self.cpu_s.append(time.process_time() - busy)


def bench_training(
    rounds: int = 5, device: str = 'cpu', seed: int = 0, progress: bool = True
) -> dict[str, Any]:
    """Time whole steps of both settings, in turns with the plain implementation.

    Args:
        rounds: Steps of each that are timed, after one that is not.
        device: Where both run.
        seed: Of weights, data and draws.
        progress: Show a progress bar if there is a terminal.

    Returns:
        Figures for JSON; those on top are of the state setting.

    Raises:
        IbcError: The gradients of the two do not agree; no such device.
    """
    settings = paper_settings()
    results = {}
    with tqdm(
        total=len(settings) * (rounds + 1), desc='bench', disable=None if progress else True
    ) as bar:
        for setting in settings:
            results[setting.name] = compare_steps(setting, rounds, device, seed, bar.update)
    states = results['states']
    return {
        'benchmark': 'train',
        'device': states['device'],
        'torch': str(torch.__version__),
        'rounds': rounds,
        **{key: states[key] for key in ('speedup', 'steps_per_s', 'p50_ms', 'p99_ms')},
        **results,
    }


def compare_steps(
    setting: Setting,
    rounds: int,
    device: str,
    seed: int = 0,
    tick: Callable[[], Any] = lambda: None,
) -> dict[str, Any]:
    """Time steps of `setting` here and plain, from the same weights and on the same draws."""
    here, plain = make_sides(setting, device, seed)
    observation, action = make_batch(setting, here.model, seed)
    parts = micro_batches_of(here.model, setting.batch, None)
    state = TrainState(here.model, here.optimizer)
    candidates = make_candidates(setting, here.model, parts, action, seed)
    with closing(Gradients(here.model, setting.batch, parts, seed)) as gradients:
        gradients.take(0, observation, action)
        plain_gradients(plain.model, observation, candidates)
        difference = gradient_difference(here.model, plain.model)
        on_gpu = here.model.low.device.type == 'cuda'
        tolerance = setting.gpu_tolerance if on_gpu else setting.tolerance
        if not difference <= tolerance:  # nor where it is no number
            raise IbcError(
                f'{setting.name}: gradients differ from the plain ones by {difference:.1e} of '
                f'their norm, {tolerance:.0e} is allowed: this PyTorch computes wrongly, or this '
                'is a bug'
            )
        tick()
        for i in range(rounds):
            # In turns, so that other work on the machine meets both alike.
            for side in (here, plain)[:: 1 if i % 2 else -1]:
                if side is here:
                    side.time(lambda: update(state, gradients, observation, action))
                else:
                    side.time(lambda: plain_step(plain, setting, observation, action))
            tick()
    step_s, plain_s = float(np.median(here.wall_s)), float(np.median(plain.wall_s))
    cpu_s, plain_cpu_s = float(np.median(here.cpu_s)), float(np.median(plain.cpu_s))
    return {
        'device': device_name(here.model.low.device),
        'batch': setting.batch,
        'negatives': setting.negatives,
        'micro_batch': len(parts[0]),
        'speedup': round(plain_s / step_s, 3),
        'steps_per_s': round(1 / step_s, 4),
        'p50_ms': round(1e3 * step_s, 1),
        'p99_ms': round(1e3 * float(np.percentile(here.wall_s, 99)), 1),
        'plain_steps_per_s': round(1 / plain_s, 4),
        'cpu_s': round(cpu_s, 3),
        'plain_cpu_s': round(plain_cpu_s, 3),
        'gradient_difference': difference,
    }


def make_sides(setting: Setting, device: str, seed: int) -> tuple[Side, Side]:
    """Build the same random model twice, each with its Adam: as it is trained here, and plainly."""
    colors = (0.45,) * 3 if setting.spaces.has_images else (0.0,) * setting.spaces.observation[1]
    spreads = (0.2,) * 3 if setting.spaces.has_images else (1.0,) * setting.spaces.observation[1]
    scaling = Scaling(
        Affine(colors, spreads),
        Affine((0.0, 0.0), (0.01, 0.01)),
        ActionBounds((-0.03, -0.03), (0.03, 0.03)),
    )
    torch.manual_seed(seed)
    arguments = (
        DerivativeFree(negatives=setting.negatives),
        setting.spaces,
        setting.network,
        scaling,
    )
    model, plain = DerivativeFreeModel(*arguments), DerivativeFreeModel(*arguments)
    plain.load_state_dict(model.state_dict())
    try:
        model, plain = model.to(device), plain.to(device)
    except (RuntimeError, AssertionError) as error:  # PyTorch has no such device
        raise IbcError(f'device {device!r}: {str(error).splitlines()[0]}') from None
    plain.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    model.precision = 'auto'
    return (
        Side(model, torch.optim.Adam(model.parameters(), 1e-6, fused=True)),
        Side(plain, torch.optim.Adam(plain.parameters(), 1e-6)),
    )


def make_batch(setting: Setting, model: Model, seed: int) -> tuple[Tensor, Tensor]:
    """Draw observations (B, T, ...) and actions (B, A): time does not depend on what they show."""
    rng = np.random.default_rng(seed)
    shape = (setting.batch, *setting.spaces.observation)
    if setting.spaces.has_images:
        observation = torch.from_numpy(rng.integers(0, 256, shape, np.uint8))
    else:
        observation = torch.from_numpy(rng.standard_normal(shape, np.float32))
    action = torch.from_numpy(rng.uniform(-0.02, 0.02, (setting.batch, 2)).astype(np.float32))
    return observation.to(model.low.device), action.to(model.low.device)


def make_candidates(
    setting: Setting, model: Model, parts: list[MicroBatch], action: Tensor, seed: int
) -> Tensor:
    """Draw what the micro-batches of step 0 draw, (B, 1 + N, A)."""
    generator = torch.Generator(model.low.device)
    negatives = [
        uniform_actions(
            model.low,
            model.high,
            len(part),
            setting.negatives,
            generator.manual_seed(draw_seed(seed, 0, part.number)),
        )
        for part in parts
    ]
    return torch.cat((model.action(action)[:, None], torch.cat(negatives)), dim=1)


def plain_step(side: Side, setting: Setting, observation: Tensor, action: Tensor) -> None:
    """Do a whole step: draw, take the gradient, update."""
    model = side.model
    negatives = uniform_actions(model.low, model.high, setting.batch, setting.negatives)
    candidates = torch.cat((model.action(action)[:, None], negatives), dim=1)
    plain_gradients(model, observation, candidates)
    side.optimizer.step()


def plain_gradients(model: DerivativeFreeModel, observation: Tensor, candidates: Tensor) -> None:
    """Set the gradients of InfoNCE over `candidates` (B, 1 + N, A), all in one piece."""
    model.zero_grad(set_to_none=True)
    energy = direct_energy(model.network, model.prepare(observation).contiguous())
    info_nce(energy(candidates)).backward()


def gradient_difference(one: Model, other: Model) -> float:
    """Norm of the difference of two models' gradients, as a share of their norm."""
    pairs = zip(one.parameters(), other.parameters(), strict=True)
    gradients = [(a.grad, b.grad) for a, b in pairs if a.grad is not None and b.grad is not None]
    difference = torch.nn.utils.get_total_norm([a - b for a, b in gradients])
    return float(difference / torch.nn.utils.get_total_norm([b for _, b in gradients]))
