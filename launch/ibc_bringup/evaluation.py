"""What `ibc eval` does: measure a policy, maybe another one on the same seeds, and keep it all."""

import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from ibc_bringup.episode_films import EpisodeFilms
from ibc_bringup.episode_table import read_episodes, write_episodes
from ibc_bringup.policies import SCRIPTED, contestant
from ibc_bringup.recorded_delays import recorded_delays
from ibc_bringup.ros_trials import VIDEO, roll_out_through_ros
from ibc_contract.errors import IbcError
from implicit_bc.bundle_files import add_result, find_bundle
from implicit_bc.evaluation_summary import Summary, summarize
from implicit_bc.paired import Paired, pair
from implicit_bc.rollout import Episode
from xarm_twin.camera import RendererChoice

RESULTS = 'results.json'
TABLE = '.csv'


@dataclass(frozen=True)
class EvaluationPlan:
    """Who is measured on what, and what is kept of it."""

    policy: str
    task: str | None = None
    episodes: int = 50
    seed: int = 0
    workers: int = 1
    rival: str | None = None
    """Another policy, as it is, for the same seeds; or the CSV file of its episodes."""
    renderer: RendererChoice = 'auto'
    delays: str | None = None
    """As `recorded_delays` takes them."""
    videos: Path | None = None
    """Folder for films of what fails."""
    all_videos: bool = False
    steadiness: Mapping[str, float] = field(default_factory=dict)
    hand: Mapping[str, Any] = field(default_factory=dict)
    ros: bool = False
    """Run the policy through the ROS graph, in real time; the rival runs in-process."""
    folder: Path | None = None
    """For tables and results; by default one of its own in `runs`."""
    save: bool = False
    """Note the result in the model card."""
    randomize: bool = False
    """Whether every episode has a scene of its own."""

    def __post_init__(self) -> None:
        if self.save and (self.steadiness or self.delays or self.randomize):
            raise IbcError(
                '--save notes what the model does as it is: leave out --delays and --randomize, '
                'and write steadiness to policy.yaml'
            )
        changed = self.steadiness or self.delays or self.save or self.randomize
        if self.ros and (self.policy in SCRIPTED or changed):
            raise IbcError(
                '--ros runs a model as it is, in real time: leave out --delays, --randomize, '
                '--save and steadiness, and name a model'
            )
        if self.all_videos and self.videos is None:
            raise IbcError('--all-videos: add --videos FOLDER')

    @property
    def seeds(self) -> range:
        """One per episode."""
        return range(self.seed, self.seed + self.episodes)


@dataclass(frozen=True)
class Measurement:
    """How one policy did."""

    name: str
    task: str
    summary: Summary
    ros: bool
    interrupted: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return the figures for JSON."""
        facts = {'policy': self.name, 'task': self.task, 'ros': self.ros}
        return {**self.summary.to_dict(), **facts, 'interrupted': self.interrupted}


@dataclass(frozen=True)
class Evaluation:
    """What was measured."""

    first: Measurement
    second: Measurement | None
    paired: Paired | None
    folder: Path

    @property
    def interrupted(self) -> bool:
        """Whether there are fewer episodes than planned."""
        return self.first.interrupted or (self.second is not None and self.second.interrupted)

    @property
    def rates_agree(self) -> bool:
        """Whether the intervals of both success rates overlap."""
        if self.second is None:
            return True
        (low, high), (other_low, other_high) = (
            measured.summary.wilson95 for measured in (self.first, self.second)
        )
        return low <= other_high and other_low <= high

    def to_dict(self) -> dict[str, Any]:
        """Return the figures of the first policy for JSON, and what the second one adds."""
        result = {**self.first.to_dict(), 'folder': str(self.folder)}
        if self.second is not None:
            result['compared'] = self.second.to_dict()
            if self.first.ros:
                result['rates_agree'] = self.rates_agree
        if self.paired is not None:
            found = self.paired
            result['paired'] = {
                'episodes': found.episodes,
                **asdict(found),
                'success_differs': found.success_differs,
                'score_differs': found.score_differs,
            }
        return result


def run_evaluation(plan: EvaluationPlan) -> Evaluation:
    """Measure, and keep tables and results; an interrupt ends it early.

    Raises:
        IbcError: The plan cannot be carried out; nothing has run then.
        KeyboardInterrupt: Before there was one episode.
    """
    one = _entrant(plan, plan.policy, plan.task, plan.steadiness, plan.hand)
    folder = plan.folder or Path('runs') / f'eval-{one.name}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}'
    if plan.ros:
        one = _through_ros(plan, one, folder)
    other = _rival(plan, one) if plan.rival is not None else None
    first = _measure(one)
    second = _measure(other) if other is not None and not first.interrupted else None
    found = Evaluation(
        first,
        second,
        pair(first.summary.rollouts, second.summary.rollouts) if second is not None else None,
        folder,
    )
    _keep(found)
    if plan.save and plan.policy not in SCRIPTED and not first.interrupted:
        add_result(find_bundle(plan.policy), first.task, first.summary.to_dict())
    return found


@dataclass(frozen=True)
class _Entrant:
    """Whose episodes are counted."""

    name: str
    task: str
    period_s: float
    """Between two decisions [s]."""
    episodes: Callable[[], Iterable[Episode]]
    ros: bool = False


def _entrant(
    plan: EvaluationPlan,
    policy: str,
    task: str | None,
    steadiness: Mapping[str, float],
    hand: Mapping[str, Any],
    taken: str = '',
) -> _Entrant:
    """Find who is meant, by a name that is not `taken`."""
    delays = recorded_delays(plan.delays) if plan.delays else None
    with_films = plan.videos is not None
    chosen = contestant(
        policy, task, plan.renderer, steadiness, hand, delays, with_films, plan.randomize
    )
    name = _other_name(chosen.name, taken)
    films = None
    if plan.videos is not None:
        films = EpisodeFilms(plan.videos, name, chosen.period_s, plan.all_videos)
    return _Entrant(
        name,
        chosen.task,
        chosen.period_s,
        partial(chosen.roll_out, plan.seeds, plan.workers, films),
    )


def _through_ros(plan: EvaluationPlan, one: _Entrant, folder: Path) -> _Entrant:
    """Let an entrant that can run in-process do it in the ROS graph; its film is of all trials."""
    given = {'renderer': plan.renderer}
    if plan.videos is not None:
        given['video'] = str(plan.videos / VIDEO)
    model = str(find_bundle(plan.policy))
    episodes = partial(
        roll_out_through_ros, model, one.task, plan.seeds, folder, one.period_s, given
    )
    return replace(one, name=f'{one.name}-ros', episodes=episodes, ros=True)


def _rival(plan: EvaluationPlan, one: _Entrant) -> _Entrant:
    """Find the other policy, as it is, by a name that is not the first one's."""
    word = str(plan.rival)
    if not word.endswith(TABLE):
        return _entrant(plan, word, one.task, {}, {}, taken=one.name)
    episodes = read_episodes(Path(word))
    if not {episode.seed for episode in episodes} & set(plan.seeds):
        raise IbcError(f'{word}: has none of the seeds {plan.seeds[0]} to {plan.seeds[-1]}')
    name = _other_name(Path(word).stem, one.name)
    return _Entrant(name, one.task, one.period_s, lambda: episodes)


def _other_name(name: str, taken: str) -> str:
    return f'{name}-2' if name == taken else name


def _measure(entrant: _Entrant) -> Measurement:
    """Take the episodes as they come; an interrupt ends that, and is one if there are none yet."""
    done: list[Episode] = []
    interrupted = False
    start = time.monotonic()
    try:
        for episode in entrant.episodes():
            done.append(episode)
    except KeyboardInterrupt:
        if not done:
            raise
        interrupted = True
    summary = summarize(done, time.monotonic() - start)
    return Measurement(entrant.name, entrant.task, summary, entrant.ros, interrupted)


def _keep(found: Evaluation) -> None:
    """Write a table of each one's episodes, and the results."""
    for measured in filter(None, (found.first, found.second)):
        write_episodes(found.folder / f'{measured.name}{TABLE}', measured.summary.rollouts)
    (found.folder / RESULTS).write_text(json.dumps(found.to_dict(), indent=2) + '\n')
