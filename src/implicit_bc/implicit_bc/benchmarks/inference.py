"""Time of one decision of a real-robot preset (paper D.5), against the direct formulation."""

import dataclasses
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from ibc_contract.contract import Contract, load_contract
from ibc_contract.errors import IbcError
from implicit_bc.benchmarks.direct import DirectModel, LateFusionModel
from implicit_bc.benchmarks.machine import device_name
from implicit_bc.methods.derivative_free import DerivativeFree, DerivativeFreeModel
from implicit_bc.normalization import ActionBounds, Affine
from implicit_bc.policy import Inference, LearnedPolicy
from implicit_bc.scaling import Scaling
from implicit_bc.spaces import Spaces
from implicit_bc.training.config import load_config

TOLERANCE = 1e-4
"""Largest difference between the energies of the two, as a share of their spread."""
SCALING = Scaling(
    Affine((0.45, 0.45, 0.45), (0.2, 0.2, 0.2)),
    Affine((0.0, 0.0), (0.01, 0.01)),
    ActionBounds((-0.03, -0.03), (0.03, 0.03)),
)
"""Of the order that data has."""


def bench_inference(
    preset: str = 'real_push',
    samples: int | None = None,
    rounds: int = 200,
    device: str = 'cpu',
    seed: int = 0,
    progress: bool = True,
) -> dict[str, Any]:
    """Time whole decisions, from frames in memory to metres, in turns with the direct formulation.

    The weights are random, as training starts with them: time does not depend on their values.

    Args:
        preset: Training preset of a derivative-free model on images.
        samples: Candidates per iteration; the preset's by default.
        rounds: Decisions of each.
        device: Where both run.
        seed: Of weights, frames and draws.
        progress: Show a progress bar if there is a terminal.

    Returns:
        Figures for JSON.

    Raises:
        IbcError: The two do not agree, or there is no such preset or device.
    """
    contract, models = make_models(preset, samples, device, seed)
    model, direct_model, _ = models
    policies = [LearnedPolicy(contract, one) for one in models]
    times = np.empty((rounds, len(policies)))
    differences = np.empty(rounds)
    for policy in policies:
        policy.warm_up()
    frames = np.random.default_rng(seed)
    for i in tqdm(range(rounds), 'bench', unit='round', disable=None if progress else True):
        shown = frames.integers(0, 256, contract.observation_shape, np.uint8)
        # In turns, so that other work on the machine meets both alike.
        for column in range(len(policies))[:: 1 if i % 2 else -1]:
            made = policies[column].infer({'image': shown}, np.random.default_rng(i))
            times[i, column] = 1e3 * made.seconds
            if column == 0:
                differences[i] = energy_difference(made, direct_model, shown)
    difference = float(differences.max())
    if not difference <= TOLERANCE:  # nor where it is no number
        raise IbcError(
            f'energies differ from the direct formulation by {difference:.1e} of their spread, '
            f'{TOLERANCE:.0e} is allowed: this PyTorch computes wrongly, or this is a bug'
        )
    p50, p99 = np.percentile(times, (50, 99), axis=0).round(3).tolist()
    sampler = model.method.sampler
    return {
        'benchmark': 'inference',
        'preset': preset,
        'samples': sampler.samples,
        'iterations': sampler.iterations,
        'rounds': rounds,
        'device': device_name(model.low.device),
        'torch': str(torch.__version__),
        'speedup': round(p50[1] / p50[0], 3),
        'p50_ms': p50[0],
        'p99_ms': p99[0],
        'steps_per_s': round(1e3 / p50[0], 2),
        'direct_p50_ms': p50[1],
        'direct_p99_ms': p99[1],
        'late_fusion_p50_ms': p50[2],
        'late_fusion_speedup': round(p50[2] / p50[0], 3),
        'energy_difference': difference,
    }


def make_models(
    preset: str, samples: int | None, device: str, seed: int
) -> tuple[Contract, tuple[DerivativeFreeModel, DirectModel, LateFusionModel]]:
    """Models with the same random weights: this package's, and the two to compare with."""
    config = load_config(preset)
    contract = load_contract(config.contract)
    method = config.method
    if not isinstance(method, DerivativeFree) or contract.observation.kind != 'image':
        raise IbcError(f'preset {preset} is not derivative-free on images: try real_push')
    if samples is not None:
        sampler = dataclasses.replace(method.sampler, samples=samples)
        method = dataclasses.replace(method, sampler=sampler)
    torch.manual_seed(seed)
    arguments = (method, Spaces.of_contract(contract), config.network, SCALING)
    model = DerivativeFreeModel(*arguments)
    direct, late = DirectModel(*arguments), LateFusionModel(*arguments)
    for other in (direct, late):
        other.load_state_dict(model.state_dict())
    try:
        return contract, (model.to(device), direct.to(device), late.to(device))
    except (RuntimeError, AssertionError) as error:  # PyTorch has no such device
        raise IbcError(f'device {device!r}: {str(error).splitlines()[0]}') from None


@torch.inference_mode()
def energy_difference(made: Inference, direct: DirectModel, frames: np.ndarray) -> float:
    """Largest difference between energies of a decision's last candidates, per their spread."""
    device = direct.low.device
    energy = direct.energy(torch.from_numpy(frames)[None].to(device))
    candidates = torch.from_numpy(made.candidates).to(device, torch.float32)
    expected = energy(direct.action(candidates)[None])[0]
    energies = torch.from_numpy(made.energies).to(device)
    return float((energies - expected).abs().max() / expected.std())
