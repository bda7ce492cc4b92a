"""Is an episode fit for training? Every doubt is a finding."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np

from demo_recorder.summary import stream_counts
from demo_recorder.tracking import LATENCY_S, farthest_off, make_track
from ibc_contract import topics
from ibc_contract.contract import Contract, load_contract
from ibc_contract.episode_arrays import EpisodeSteps, read_steps
from ibc_contract.episode_reader import EpisodeReader
from ibc_contract.errors import IbcError
from ibc_contract.messages import pose_xy, stamp_ns
from ibc_contract.observation import observation_window

DRIVER_TOPICS = (topics.JOINT_STATES, topics.TCP_POSE, topics.TCP_SETPOINT)
DRIVER_GAP_S = 0.1
"""Ten ticks of the driver [s]."""
AHEAD_S = 0.02
"""How far a stamp may lie ahead of its receipt before two clocks must disagree [s]."""
OFF_M = 0.01
"""A tool that is farther from where it was told to be is held up [m]."""
STILL_M = 1e-3
"""A setpoint that stays within this distance of its start shows nothing [m]."""


class Severity(StrEnum):
    """Whether an episode can be used in spite of a finding."""

    ERROR = 'error'
    WARNING = 'warning'


@dataclass(frozen=True)
class Finding:
    """One doubt about an episode."""

    severity: Severity
    code: str
    """Short name of the kind of doubt, for programs."""
    message: str

    def __str__(self) -> str:
        return f'{self.severity}: {self.message}'


def verify_episode(path: Path) -> list[Finding]:
    """Return what is wrong with an episode; an empty list means nothing."""
    try:
        reader = EpisodeReader(path)
        stream_counts(reader)  # reads every chunk and checks its sum
        findings = [*_check_contract(reader), *_check_topics(reader)]
        findings += _check_times(reader, _known_contract(reader))
    except IbcError as error:
        return [Finding(Severity.ERROR, 'unreadable', _message(error, path))]
    if not any(finding.severity is Severity.ERROR for finding in findings):
        findings += _check_steps(reader)
    if reader.info.outcome == 'unlabelled':
        findings.append(
            Finding(Severity.WARNING, 'unlabelled', 'is neither marked as success nor as failure')
        )
    return findings


def _message(error: IbcError, path: Path) -> str:
    """Text of `error` without the path, which stands before every finding anyway."""
    return str(error).removeprefix(f'{path}: ')


def _known_contract(reader: EpisodeReader) -> Contract:
    try:
        return load_contract(reader.info.contract_name)
    except IbcError:
        return load_contract()


def _check_contract(reader: EpisodeReader) -> Iterator[Finding]:
    try:
        reader.require_contract(load_contract(reader.info.contract_name))
    except IbcError as error:
        yield Finding(Severity.ERROR, 'contract', str(error))


def _check_topics(reader: EpisodeReader) -> Iterator[Finding]:
    needed = {*observation_window(_known_contract(reader)).topics, topics.TCP_SETPOINT}
    for topic in sorted({*needed, *DRIVER_TOPICS}):
        if reader.counts.get(topic):
            continue
        severity = Severity.ERROR if topic in needed else Severity.WARNING
        code = 'no-images' if topic == topics.CAMERA_COMPRESSED else 'missing-topic'
        yield Finding(severity, code, f'has no messages on {topic}')
    for topic in sorted(reader.counts.keys() - topics.EPISODE_TOPICS.keys()):
        yield Finding(Severity.WARNING, 'unknown-topic', f'holds an unknown topic {topic}')


def _check_times(reader: EpisodeReader, contract: Contract) -> Iterator[Finding]:
    """Check order, gaps, clocks and motion of the topics that training or replay rely on."""
    limits_s: dict[str, float] = dict.fromkeys(DRIVER_TOPICS, DRIVER_GAP_S)
    for topic in observation_window(contract).topics:
        limits_s.setdefault(topic, contract.observation.max_age_s)
    stamps: dict[str, list[int]] = {topic: [] for topic in limits_s}
    received: dict[str, list[int]] = {topic: [] for topic in limits_s}
    commanded: list[tuple[int, np.ndarray]] = []
    measured: list[tuple[int, np.ndarray]] = []
    tracks = {topics.TCP_SETPOINT: commanded, topics.TCP_POSE: measured}
    for topic, log_ns, message in reader.messages(*limits_s):
        stamps[topic].append(stamp_ns(message))
        received[topic].append(log_ns)
        if topic in tracks:
            tracks[topic].append((stamps[topic][-1], pose_xy(message)))
    for topic, limit_s in limits_s.items():
        yield from _check_stream(topic, np.array(stamps[topic]), np.array(received[topic]), limit_s)
    yield from _check_tracking(commanded, measured)


def _check_stream(
    topic: str, stamps: np.ndarray, received: np.ndarray, limit_s: float
) -> Iterator[Finding]:
    """Check one topic; `stamps` and `received` (N,) [ns] in order of receipt."""
    if len(stamps) < 2:
        return
    steps = np.diff(stamps)
    if (steps <= 0).any():
        yield Finding(
            Severity.WARNING, 'order', f'{int((steps <= 0).sum())} stamps out of order on {topic}'
        )
    gaps = np.diff(np.sort(stamps)) / 1e9
    if gaps.max() > limit_s:
        yield Finding(
            Severity.WARNING,
            'gap',
            f'{int((gaps > limit_s).sum())} gaps over {limit_s} s on {topic}, the longest '
            f'{gaps.max():.2f} s',
        )
    ahead_s = (stamps - received).max() / 1e9
    if ahead_s > AHEAD_S:
        yield Finding(
            Severity.WARNING,
            'clock',
            f'stamps on {topic} are up to {ahead_s:.3f} s ahead of their receipt: synchronise the '
            'clocks of the machines',
        )


def _check_tracking(
    commanded: list[tuple[int, np.ndarray]], measured: list[tuple[int, np.ndarray]]
) -> Iterator[Finding]:
    """Check that the tool, (stamp [ns], point (2,) [m]) each, went where it was told."""
    if not commanded or not measured:
        return
    off = farthest_off(make_track(commanded, 0), make_track(measured, 0))
    if off > OFF_M:
        yield Finding(
            Severity.WARNING,
            'tracking',
            f'the tool is up to {off * 1e3:.0f} mm from all that was commanded in the '
            f'{LATENCY_S} s before: something held it up',
        )


def _check_steps(reader: EpisodeReader) -> Iterator[Finding]:
    """Do what training will do, down to decoding every image that it uses."""
    try:
        steps = read_steps(reader.path, load_contract(reader.info.contract_name))
    except IbcError as error:
        yield Finding(Severity.ERROR, 'steps', _message(error, reader.path))
        return
    if steps.skipped:
        total = steps.skipped + len(steps.ticks_ns)
        yield Finding(
            Severity.WARNING, 'skipped', f'{steps.skipped} of {total} steps cannot be used'
        )
    if _longest_way(steps) < STILL_M:
        yield Finding(Severity.WARNING, 'still', 'the setpoint does not move')


def _longest_way(steps: EpisodeSteps) -> float:
    """Farthest distance of the setpoint from where it began [m]."""
    way = np.cumsum(steps.actions.astype(float), axis=0)
    return float(np.linalg.norm(way, axis=1).max())
