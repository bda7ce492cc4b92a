"""`ibc demo`: the best shipped policy at work on the twin, through the full ROS graph."""

import sys
from dataclasses import dataclass
from pathlib import Path

from ibc_bringup.bundles import ModelCard, list_cards, read_card
from ibc_bringup.report import Section, write_report
from ibc_bringup.ros_trials import trials_section, trials_table, try_model
from ibc_contract.errors import IbcError
from teleop_mouse.window import check_display

MAX_TRIALS = 100


@dataclass(frozen=True)
class DemoPlan:
    """What is shown, for how long, and where the report goes."""

    folder: Path
    model: str | None = None
    task: str | None = None
    seconds: float = 75.0


def run_demo(plan: DemoPlan) -> Path:
    """Run the policy, print how it did, and return the report."""
    card = read_card(plan.model) if plan.model else best_card(plan.task)
    task = plan.task or card.task
    window = has_display()
    say(f'{card.name} on {task}; success rate when it was evaluated: {card.success_text}')
    say('starting twin, camera, driver and policy' + (' with a window' if window else ''))
    trials = try_model(str(card.path), task, plan.folder, MAX_TRIALS, plan.seconds, window)
    sys.stdout.write(trials_table(trials).to_text())
    successes = sum(trial.success for trial in trials)
    summary = f'{successes} of {len(trials)} trials succeeded in this run.'
    sections = (
        trials_section(trials, plan.folder, 'What happened'),
        Section(
            'The policy',
            facts={
                'model': card.name,
                'folder': card.path,
                'task': task,
                'contract': card.contract,
                'success rate': card.success_text,
            },
        ),
    )
    report = plan.folder / 'report.html'
    return write_report(report, f'{card.name} on {task}', summary, sections)


def best_card(task: str | None) -> ModelCard:
    """Choose the bundle with the highest measured success rate (on `task`)."""
    cards = [card for card in list_cards() if task is None or task in card.tasks]
    if not cards:
        wanted = f' for {task}' if task else ''
        raise IbcError(f'there is no trained model{wanted}: make one with `ibc loop`')
    return cards[0]


def has_display() -> bool:
    """Tell whether a window can be opened."""
    try:
        check_display()
    except IbcError:
        return False
    return True


def say(text: str) -> None:
    """Tell the person at the terminal what happens now."""
    sys.stderr.write(f'{text}\n')
