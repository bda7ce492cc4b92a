"""The driver's timing while a policy moves the arm through the whole twin stack."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import yaml

from ibc_bringup.demo import DemoPlan, choose
from ibc_bringup.parameter_files import config_path, node_parameters
from ibc_bringup.ros_trials import START_S
from ibc_bringup.session import run_to_end
from ibc_bringup.trials_node import SHORTEST_S
from ibc_contract.errors import IbcError

DRIVER = 'xarm_planar_driver'
MAX_TRIALS = 10_000
LOG = 'bench.log'
SITE = 'config'
TIMING = 'timing.json'


def bench_driver(folder: Path, seconds: float, model: str | None = None) -> dict[str, object]:
    """Run the stack, measure for `seconds` [s] and return figures; the log goes to `folder`.

    Raises:
        IbcError: The stack failed, or the driver has taken down too little; there is no such model.
    """
    from implicit_bc.benchmarks.machine import processor

    card, task = choose(DemoPlan(folder, model))
    folder = folder.resolve()
    timing = folder / TIMING
    parameters = {**node_parameters(config_path('driver.yaml'), DRIVER), 'timing_file': str(timing)}
    try:
        (folder / SITE).mkdir(parents=True, exist_ok=True)
        timing.unlink(missing_ok=True)
        site = yaml.safe_dump({'/**': {'ros__parameters': parameters}})
        (folder / SITE / 'driver.yaml').write_text(site)
    except OSError as error:
        raise IbcError(f'{folder}: {error.strerror}') from None
    # The trials may end early by so much: what is measured lies before the stack shuts down.
    spent = seconds + SHORTEST_S
    given = {
        'model': str(card.path),
        'task': task,
        'trials': str(MAX_TRIALS),
        'seconds': str(spent),
        'config_dir': str(folder / SITE),
    }
    run_to_end('run_policy', given, folder / LOG, spent + START_S, relay='trials')
    try:
        log = json.loads(timing.read_text())
    except (OSError, ValueError):
        raise IbcError(f'the driver has not written {timing}: see {folder / LOG}') from None
    return {
        **summary(log, seconds),
        'device': f'{processor()}, {os.cpu_count()} cores',
        'load_average': os.getloadavg()[0],
    }


def summary(log: Mapping[str, object], seconds: float) -> dict[str, object]:
    """Sum up what the driver has taken down, for `seconds` [s] from the first command on.

    Args:
        log: As TimingLog.write of xarm_planar_driver makes it.
        seconds: Time to look at [s].

    Raises:
        IbcError: There was no command.
    """
    due, late, received, to_wire = (
        _numbers(log[name])
        for name in ('deadline_s', 'late_s', 'command_received_s', 'command_to_wire_s')
    )
    if not received.size:
        raise IbcError('the driver was sent no command: did the policy act?')
    begin = received[0]
    deviation = np.abs(late[(due >= begin) & (due < begin + seconds)])
    to_wire = to_wire[(received >= begin) & (received < begin + seconds)]
    if not deviation.size:
        raise IbcError('the driver stopped ticking at the first command')
    return {
        'benchmark': 'driver',
        'seconds': seconds,
        'ticks': deviation.size,
        'tick_p50_ms': _percentile_ms(deviation, 50),
        'tick_p99_ms': _percentile_ms(deviation, 99),
        'tick_max_ms': _percentile_ms(deviation, 100),
        'late_ticks': int((deviation > float(str(log['late_after_s']))).sum()),
        'commands': to_wire.size,
        'command_to_wire_p50_ms': _percentile_ms(to_wire, 50),
        'command_to_wire_p99_ms': _percentile_ms(to_wire, 99),
        'realtime_granted': log['realtime_granted'],
        'realtime_priority': log['realtime_priority'],
        'memory_lock': log['memory_lock'],
    }


def _numbers(values: object) -> np.ndarray:
    return np.asarray(values, dtype=float)


def _percentile_ms(seconds: Sequence[float] | np.ndarray, percent: float) -> float:
    return round(1e3 * float(np.percentile(seconds, percent)), 4)
