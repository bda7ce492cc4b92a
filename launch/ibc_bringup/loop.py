"""`ibc loop`: from demonstrations to a policy that runs, in six parts.

record     the demonstrator shows the task through the real ROS graph, in real time, into bags
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
from ibc_bringup.loop_report import RIVALS, loop_table, write_loop_report
from ibc_bringup.policies import contestant
from ibc_bringup.report import Table
from ibc_bringup.ros_trials import try_model
from ibc_bringup.session import run_to_end
from ibc_bringup.training_run import DESCRIPTION, TrainingRun, open_run
from ibc_bringup.trials import finished
from ibc_contract.episode_reader import EpisodeReader, find_episodes
from ibc_contract.errors import IbcError
from implicit_bc.bundle_files import add_result, read_description
from implicit_bc.training.config import load_config
from xarm_twin.generate import Recipe, generate_episodes
from xarm_twin.tasks import DEMONSTRATION_SEED, get_task

PLAN = 'plan.json'
RESULTS = 'results.json'
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
        self.results: dict[str, dict[str, Any]] = {}
        if (folder / RESULTS).is_file():
            self.results = json.loads((folder / RESULTS).read_text())

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
        (self.folder / PLAN).write_text(json.dumps(asdict(self.plan), indent=2) + '\n')

    def table(self) -> Table:
        """Return one row per part, once all are done."""
        return loop_table(self.results)

    def to_dict(self) -> dict[str, Any]:
        """Return what was done, for JSON: the plan, and per part its figures."""
        return {'folder': str(self.folder), 'plan': asdict(self.plan), 'results': self.results}

    def _part(self, name: str, what: str, work: Callable[[], dict[str, Any]]) -> None:
        if name in self.results:
            say(f'{name}: done before')
            return
        say(f'{name}: {what}')
        begin = time.monotonic()
        self.results[name] = work() | {'seconds': round(time.monotonic() - begin, 1)}
        (self.folder / RESULTS).write_text(json.dumps(self.results, indent=2) + '\n')

    def _record(self) -> dict[str, Any]:
        root = self.folder / 'bags' / 'recorded'
        first = DEMONSTRATION_SEED + self.plan.seed
        there = find_episodes(root) if root.is_dir() else []
        seeds = [EpisodeReader(path).info.seed or 0 for path in there]
        missing = self.plan.recorded - len(there)
        given = {
            'task': self.plan.task,
            'root': str(root),
            'demonstrator': 'true',
            'episodes': str(missing),
            # The first episode has the next seed, since each begins with a reset of the twin.
            'seed': str(max(seeds, default=first - 1)),
        }
        if missing > 0:
            horizon = get_task(self.plan.task).horizon_s + EPISODE_OVERHEAD_S
            limit = 60 + missing * horizon
            log = self.folder / 'record.log'
            run_to_end('teleop_record', given, log, limit, relay='demonstrator')
        return {'episodes': len(find_episodes(root))}

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
        folder = self.folder / 'train'
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
            bundle = self.folder / 'train' / 'bundle'
            chosen = contestant(str(bundle) if name == 'trained' else name, self.plan.task)
            workers = os.cpu_count() or 1
            summary = chosen.evaluate(self.plan.evaluated, EVALUATION_SEED, workers)
            if name == 'trained':
                add_result(bundle, self.plan.task, summary.to_dict())
            return summary.to_dict() | {'steps': sum(r.steps for r in summary.rollouts)}

        return work

    def _run(self) -> dict[str, Any]:
        bundle = self.folder / 'train' / 'bundle'
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
