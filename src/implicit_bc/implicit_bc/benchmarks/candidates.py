"""Time and memory of a decision over the number of candidates: both must grow linearly."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from implicit_bc.benchmarks.inference import make_models
from implicit_bc.benchmarks.machine import device_name
from implicit_bc.benchmarks.memory import peak_bytes
from implicit_bc.policy import LearnedPolicy


def bench_candidates(
    preset: str,
    counts: Sequence[int],
    rounds: int = 20,
    device: str = 'cpu',
    seed: int = 0,
    progress: bool = True,
) -> dict[str, Any]:
    """Measure whole decisions with each number of candidates, in turns with the direct formulation.

    Args:
        preset: As for `bench_inference`, and so are the other arguments.
        counts: Numbers of candidates.
        rounds: Decisions of each.
        device: Where they run.
        seed: Of weights and draws.
        progress: Show a progress bar if there is a terminal.

    Returns:
        Figures for JSON: `curve` has an entry per number of candidates.

    Raises:
        IbcError: There is no such preset or device.
    """
    curve = []
    for count in tqdm(counts, 'bench', unit='count', disable=None if progress else True):
        contract, models = make_models(preset, count, device, seed)
        policies = [LearnedPolicy(contract, model) for model in models[:2]]
        frames = np.zeros(contract.observation_shape, np.uint8)
        work = [partial(_decide, policy, frames) for policy in policies]
        for policy in policies:
            policy.warm_up()
        times = np.array([[decide() for decide in work] for _ in range(rounds)])
        memory = [peak_bytes(decide, models[0].low.device) for decide in work]
        p50 = (1e3 * np.median(times, axis=0)).round(2).tolist()
        megabytes = [None if peak is None else round(peak / 1e6, 1) for peak in memory]
        curve.append(
            {
                'samples': count,
                'p50_ms': p50[0],
                'direct_p50_ms': p50[1],
                'peak_mb': megabytes[0],
                'direct_peak_mb': megabytes[1],
            }
        )
    return {
        'benchmark': 'candidates',
        'preset': preset,
        'rounds': rounds,
        'device': device_name(torch.device(device)),
        'torch': str(torch.__version__),
        'curve': curve,
    }


def _decide(policy: LearnedPolicy, frames: np.ndarray) -> float:
    return policy.infer({'image': frames}, np.random.default_rng(0)).seconds
