"""`ibc loop`: from demonstrations to a policy that runs, in six parts.

record     the demonstrator shows the task through the real ROS graph, in real time, into bags;
           those that were interrupted or failed are put aside and made up for
generate   the same demonstrator in the in-process twin, faster, into the same kind of bags
verify     every bag is read completely
train      a small image policy
evaluate   it, a random policy, one that does nothing, and the demonstrator
run        the trained policy through the real ROS graph, filmed
"""

import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from demo_recorder.verify import Severity, verify_episode
from ibc_bringup.demo import say
from ibc_bringup.loop_plan import MOST_RECORDED, LoopPlan
from ibc_bringup.loop_report import RIVALS, doubt, loop_table, write_loop_report
from ibc_bringup.policies import contestant
from ibc_bringup.report import Table
from ibc_bringup.ros_trials import try_model
from ibc_bringup.session import run_to_end
from ibc_bringup.training_run import DESCRIPTION, TrainingRun, open_run
from ibc_bringup.trials import finished
from ibc_contract.episode_reader import EpisodeReader, find_episodes
from ibc_contract.episode_writer import DISCARDED
from ibc_contract.errors import IbcError
from implicit_bc.bundle_files import add_result, read_description
from implicit_bc.training.config import load_config
from xarm_twin.generate import generate_episodes
from xarm_twin.recipe import Recipe
from xarm_twin.tasks import DEMONSTRATION_SEED, get_task

PLAN = 'plan.json'
RESULTS = 'results.json'
ATTEMPTS = 'attempts.json'
"""Begin and end of every attempt at each part [s since the epoch]; no end while it lasts."""
EPISODE_OVERHEAD_S = 30.0
"""Homing, reset and start-up around each episode that is recorded in real time [s]."""
RUN_TRIALS = 3
EVALUATION_SEED = 0
"""Layouts of the evaluation are never those of the demonstrations, which start at
DEMONSTRATION_SEED."""


class Loop:
    """One pass, in a folder that remembers which parts are done."""

    def __init__(self, folder: Path, plan: LoopPlan) -> None:
        self.folder = folder
        self.plan = plan
        self.results: dict[str, dict[str, Any]] = _read(folder / RESULTS)
        self._attempts = _read_attempts(folder)

    def run(self) -> Path:
        """Do what is not done yet and write the report."""
        plan = self.plan
        self._claim_folder()
        if plan.recorded:
            self._part('record', f'{plan.recorded} episodes through ROS 2, real time', self._record)
        if plan.generated:
            self._part('generate', f'{plan.generated} episodes in-process', self._generate)
        self._part('verify', 'read every bag', self._verify)
        self._part('train', f'{plan.preset}, {plan.train_seconds:.0f} s', self._train)
        for name in ('trained', *RIVALS):
            self._part(name, f'evaluate on {plan.evaluated} new layouts', self._evaluator(name))
        self._part('run', 'the trained policy through ROS 2, filmed', self._run)
        return write_loop_report(self.folder, asdict(plan), self.results)

    def _claim_folder(self) -> None:
        """Write the plan into a new folder; IbcError if the folder is another loop's."""
        if (self.folder / PLAN).is_file():
            if changed := open_loop(self.folder).plan.differences(self.plan):
                raise IbcError(
                    f'{self.folder} holds a loop with another plan ({changed}): go on with it by '
                    f'`ibc loop --resume {self.folder}`, or choose another --folder'
                )
            return
        if self.folder.is_dir() and any(self.folder.iterdir()):
            raise IbcError(f'{self.folder} is not empty and holds no loop: choose another --folder')
        self.plan.check()
        self.folder.mkdir(parents=True, exist_ok=True)
        _write(self.folder / PLAN, asdict(self.plan))

    def table(self) -> Table:
        """Return one row per part, once all are done."""
        return loop_table(self.results)

    def doubt(self) -> str:
        """Say why nothing may have been learned, once all are done; empty if something was."""
        return doubt(self.results)

    def to_dict(self) -> dict[str, Any]:
        """Return what was done, for JSON: the plan, per part its figures, and what came of it."""
        return {
            'folder': str(self.folder),
            'plan': asdict(self.plan),
            'results': self.results,
            'better_than_baselines': not self.doubt(),
        }

    @property
    def _training(self) -> Path:
        """Folder of the training run; a bundle is called after its run."""
        return self.folder / self.plan.task

    def _part(self, name: str, what: str, work: Callable[[], dict[str, Any]]) -> None:
        if name in self.results:
            say(f'{name}: done before')
            return
        say(f'{name}: {what}')
        attempts = self._attempts.setdefault(name, [])
        attempts.append([time.time()])
        _write(self.folder / ATTEMPTS, self._attempts)
        try:
            result = work()
        finally:
            attempts[-1].append(time.time())
            _write(self.folder / ATTEMPTS, self._attempts)
        spent = sum(end - begin for begin, end in attempts)
        self.results[name] = result | {'seconds': round(spent, 1)}
        _write(self.folder / RESULTS, self.results)

    def _record(self) -> dict[str, Any]:
        root, log = self.folder / 'bags' / 'recorded', self.folder / 'record.log'
        first = DEMONSTRATION_SEED + self.plan.seed
        seeds, successes = _sort_out(root)
        while (missing := self.plan.recorded - successes) > 0:
            given = {
                'task': self.plan.task,
                'root': str(root),
                'demonstrator': 'true',
                'episodes': str(missing),
                # The first episode has the next seed, since each begins with a reset of the twin.
                'seed': str(max(seeds, default=first - 1)),
            }
            horizon = get_task(self.plan.task).horizon_s + EPISODE_OVERHEAD_S
            limit = 60 + missing * horizon
            run_to_end('teleop_record', given, log, limit, relay='demonstrator')
            before = successes
            seeds, successes = _sort_out(root)
            if successes == before:
                raise IbcError(
                    f'none of {missing} demonstrations succeeded: see {log}, then go on with '
                    f'`ibc loop --resume {self.folder}`'
                )
        return {'episodes': successes}

    def _generate(self) -> dict[str, Any]:
        root = self.folder / 'bags' / 'generated'
        recipe = Recipe(self.plan.task, root, lead_in_s=self.plan.lead_in_s)
        seed = DEMONSTRATION_SEED + MOST_RECORDED + self.plan.seed
        paths = generate_episodes(recipe, self.plan.generated, seed, os.cpu_count() or 1)
        return {'episodes': len(paths)}

    def _verify(self) -> dict[str, Any]:
        paths = find_episodes(self.folder / 'bags')
        for path in paths:
            for finding in verify_episode(path):
                if finding.severity is Severity.ERROR:
                    raise IbcError(f'{path}: {finding.message}')
        return {'episodes': len(paths)}

    def _train(self) -> dict[str, Any]:
        folder = self._training
        overrides = {'seed': self.plan.seed, 'time_limit_s': self.plan.train_seconds}
        if (folder / DESCRIPTION).is_file():
            run, resume = open_run(folder), True
        else:
            config = load_config(self.plan.preset, overrides)
            run, resume = TrainingRun(folder, (self.folder / 'bags',), config), False
            run.save()
        made = read_description(run.train(resume))['provenance']
        meta = run.dataset().meta
        steps = {'recorded': 0, 'generated': 0}
        for episode in meta.episodes:
            steps[Path(episode.path).parent.name] += episode.steps
        return {'episodes': len(meta.episodes), 'data_steps': steps, 'steps': made['steps']}

    def _evaluator(self, name: str) -> Callable[[], dict[str, Any]]:
        def work() -> dict[str, Any]:
            bundle = self._training / 'bundle'
            chosen = contestant(str(bundle) if name == 'trained' else name, self.plan.task)
            workers = os.cpu_count() or 1
            summary = chosen.evaluate(self.plan.evaluated, EVALUATION_SEED, workers)
            if name == 'trained':
                add_result(bundle, self.plan.task, summary.to_dict())
            return summary.to_dict() | {'steps': sum(r.steps for r in summary.rollouts)}

        return work

    def _run(self) -> dict[str, Any]:
        bundle = self._training / 'bundle'
        trials = try_model(
            str(bundle), self.plan.task, self.folder, RUN_TRIALS, self.plan.run_seconds
        )
        done = finished(trials)
        return {'episodes': len(done), 'successes': sum(trial.success for trial in done)}


def open_loop(folder: Path) -> Loop:
    """Find a loop that was begun; IbcError if there is none."""
    try:
        return Loop(folder, LoopPlan(**json.loads((folder / PLAN).read_text())))
    except (OSError, ValueError, TypeError) as error:
        raise IbcError(f'{folder} holds no loop to go on with: {error}') from None


def _sort_out(root: Path) -> tuple[list[int], int]:
    """Put aside whatever is no success; return all layouts shown so far, and the successes left.

    An interrupted episode ends in the middle of the task: trained on, its end would be taken for
    the task's.
    """
    aside = root / DISCARDED
    shown = [EpisodeReader(path) for path in find_episodes(root)] if root.is_dir() else []
    others = [episode for episode in shown if episode.info.outcome != 'success']
    successes = len(shown) - len(others)
    if aside.is_dir():
        shown += [EpisodeReader(path) for path in find_episodes(aside)]
    for episode in others:
        aside.mkdir(exist_ok=True)
        episode.path.rename(aside / episode.path.name)
        say(f'  {episode.path.name} is no success ({episode.info.outcome}): put aside in {aside}')
    return [episode.info.seed or 0 for episode in shown], successes


def _read_attempts(folder: Path) -> dict[str, list[list[float]]]:
    """Read how long each part took; one that was killed ended when it last wrote a file."""
    attempts = _read(folder / ATTEMPTS)
    for spans in attempts.values():
        for span in spans:
            if len(span) == 1:
                files = (file.stat().st_mtime for file in folder.rglob('*') if file.is_file())
                span.append(max(span[0], *files))
    return attempts


def _read(file: Path) -> dict[str, Any]:
    return json.loads(file.read_text()) if file.is_file() else {}


def _write(file: Path, values: dict[str, Any]) -> None:
    file.write_text(json.dumps(values, indent=2) + '\n')
