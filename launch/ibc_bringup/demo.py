"""`ibc demo`: the best shipped policy at work on the twin, through the full ROS graph."""

import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ibc_bringup.bundles import ModelCard, check_bundle, list_cards, read_card
from ibc_bringup.report import Report, Section, date_text, duration_text
from ibc_bringup.ros_trials import (
    VIDEO,
    count_text,
    trials_section,
    trials_so_far,
    trials_table,
    try_model,
)
from ibc_bringup.trials import Trial, finished
from ibc_contract.errors import IbcError
from implicit_bc.bundle_files import read_description
from teleop_mouse.window import check_display
from xarm_twin.tasks import TASK_NAMES, get_task

MAX_TRIALS = 100


@dataclass(frozen=True)
class DemoPlan:
    """What is shown, for how long, and where the report goes."""

    folder: Path
    model: str | None = None
    task: str | None = None
    seconds: float = 130.0
    """Two trials that both take the 60 s of the longer tasks fit in."""

    def __post_init__(self) -> None:
        if not self.seconds > 0:
            raise IbcError(f'ibc demo: {self.seconds:g} seconds are no time for a trial')


@dataclass(frozen=True)
class Demo:
    """What was shown."""

    card: ModelCard
    task: str
    trials: tuple[Trial, ...]
    folder: Path
    report: Path
    interrupted: bool

    def to_dict(self) -> dict[str, Any]:
        """Return the figures for JSON."""
        done = finished(self.trials)
        video = self.folder / VIDEO
        return {
            'model': str(self.card.path),
            'task': self.task,
            'episodes': len(done),
            'successes': sum(trial.success for trial in done),
            'stopped': len(self.trials) - len(done),
            'seconds': round(sum(trial.seconds for trial in self.trials), 2),
            'video': str(video) if video.is_file() else None,
            'report': str(self.report),
        }


def run_demo(plan: DemoPlan) -> Demo:
    """Let the policy try, print how it did, and write the report, whatever ended it.

    Raises:
        IbcError: Something failed; the message names the report on what was shown before.
    """
    card, task = choose(plan)
    window = has_display()
    say(f'{about(card, task)}; success rate when it was evaluated: {card.success_text}')
    say('starting twin, camera, driver and policy' + (' with a window' if window else ''))
    cut: KeyboardInterrupt | IbcError | None = None
    begin = time.monotonic()
    try:
        trials = try_model(str(card.path), task, plan.folder, MAX_TRIALS, plan.seconds, window)
    except (KeyboardInterrupt, IbcError) as error:
        trials, cut = trials_so_far(plan.folder), error
    seconds = time.monotonic() - begin
    sys.stderr.write(trials_table(trials).to_text())
    failure = str(cut) if isinstance(cut, IbcError) else ''
    path = plan.folder / 'report.html'
    try:
        make_report(plan.folder, card, task, trials, seconds, failure).write(path)
    except OSError as error:
        path.unlink(missing_ok=True)  # half a page says nothing
        failure = failure or f'{path}: {error.strerror}'
        raise IbcError(f'{failure}; no report: what there is lies in {plan.folder}') from None
    if failure:
        raise IbcError(f'{failure}; report: {path}')
    return Demo(card, task, tuple(trials), plan.folder, path, interrupted=cut is not None)


def choose(plan: DemoPlan) -> tuple[ModelCard, str]:
    """Return model and task; IbcError unless both can be used."""
    if plan.task:
        get_task(plan.task)
    card = read_card(plan.model) if plan.model else best_card(plan.task)
    check_bundle(card.path)
    return card, plan.task or card.task


def about(card: ModelCard, task: str) -> str:
    """Name the model, and the task where its name does not."""
    return card.name if card.name == task else f'{card.name} on {task}'


def make_report(
    folder: Path,
    card: ModelCard,
    task: str,
    trials: Sequence[Trial],
    seconds: float,
    failure: str,
) -> Report:
    """Say what was shown in `seconds` [s], and the `failure` that cut it short, if one did."""
    done = finished(trials)
    return Report(
        f'Demo: {about(card, task)}',
        about_trials(trials, seconds),
        f'{count_text(trials)}.',
        {
            'trials succeeded': f'{sum(trial.success for trial in done)} of {len(done)}',
            'success rate in its evaluation, with 95 % interval': card.success_text,
            'trial time': duration_text(sum(trial.seconds for trial in trials)),
        },
        (
            trials_section(trials, folder, 'What happened'),
            Section('The policy', facts=policy_facts(card, task)),
        ),
        f'cut short: {failure}' if failure else '',
    )


def about_trials(trials: Sequence[Trial], seconds: float) -> list[str]:
    """Say when, how long, on which layouts."""
    seeds = [str(trial.seed) for trial in trials if trial.seed is not None]
    about = [date_text(), f'took {duration_text(seconds)}']
    return [*about, f'layout seeds {", ".join(seeds)}'] if seeds else about


def policy_facts(card: ModelCard, task: str) -> dict[str, Any]:
    """Tell what is known of the policy and how it was trained."""
    made = read_description(card.path)['provenance']
    training = made.get('training') or {}
    facts = {
        'model': card.name,
        'folder': card.path,
        'task': task,
        'contract': card.contract,
        'success rate': card.success_text,
        'trained': made.get('created'),
        'episodes': made.get('episodes'),
        'training steps': made.get('steps'),
        'training seed': training.get('seed'),
    }
    return {name: value for name, value in facts.items() if value is not None}


def best_card(task: str | None) -> ModelCard:
    """Choose the bundle with the highest measured success rate on `task`, or on any of the twin."""
    tasks = {task} if task else set(TASK_NAMES)
    cards = [card for card in list_cards() if tasks & set(card.tasks)]
    if not cards:
        name = task or 'push_red'
        raise IbcError(
            f'there is no trained model{f" for {task}" if task else ""}; to make one: '
            f'ibc generate --task {name} --root bags/{name} --episodes 300 --lead-in 12; '
            f'ibc train bags/{name} --preset cpu_base --run runs/{name}; '
            f'ibc demo --model runs/{name}'
        )
    return cards[0]


def has_display() -> bool:
    """Tell whether a window can be opened; say why not where there should be a display."""
    try:
        check_display()
    except IbcError as error:
        if os.environ.get('DISPLAY'):
            say(str(error))
        return False
    return True


def say(text: str) -> None:
    """Tell the person at the terminal what happens now."""
    sys.stderr.write(f'{text}\n')
