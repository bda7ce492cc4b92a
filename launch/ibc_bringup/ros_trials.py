"""Try a trained policy through the whole ROS graph: twin, camera, driver, policy node."""

from collections.abc import Sequence
from pathlib import Path

from ibc_bringup.report import Section, Table
from ibc_bringup.session import run_to_end
from ibc_bringup.trials import Trial, finished, read_trials

START_S = 90.0
"""Time for every node to come up and shut down on a slow machine [s]."""
VIDEO = 'trials.mp4'
RESULTS = 'trials.json'
LOG = 'trials.log'


def try_model(
    model: str, task: str, folder: Path, trials: int, seconds: float, window: bool = False
) -> list[Trial]:
    """Run up to `trials` trials in `seconds` [s]; film and results go to `folder`.

    The last one is stopped when the time is over, or when a person closes the window.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in (VIDEO, RESULTS):
        (folder / name).unlink(missing_ok=True)
    given = {
        'model': model,
        'task': task,
        'enabled': 'false',
        'trials': str(trials),
        'seconds': str(seconds),
        'video': str(folder / VIDEO),
        'results': str(folder / RESULTS),
        'teleop': str(window).lower(),
    }
    run_to_end('run_policy', given, folder / LOG, seconds + START_S, relay='trials')
    return trials_so_far(folder)


def trials_so_far(folder: Path) -> list[Trial]:
    """Return the trials of a run that may have been cut short; none if it had no time for any."""
    file = folder / RESULTS
    return read_trials(file) if file.is_file() else []


def count_text(trials: Sequence[Trial]) -> str:
    """Say how many of the trials succeeded; those that were stopped do not count."""
    done = finished(trials)
    text = f'{sum(trial.success for trial in done)} of {len(done)} trials succeeded'
    text = text if done else 'No trial was finished'
    stopped = len(trials) - len(done)
    return f'{text}, {stopped} stopped before the end' if stopped else text


def trials_table(trials: Sequence[Trial]) -> Table:
    """Tabulate the trials, one per row."""
    return Table(
        ('trial', 'layout seed', 'outcome', 'score', 'seconds'),
        [
            (str(i), _seed_text(t), t.outcome, f'{t.score:.2f}', f'{t.seconds:.1f}')
            for i, t in enumerate(trials, start=1)
        ],
    )


def _seed_text(trial: Trial) -> str:
    return '' if trial.seed is None else str(trial.seed)


def trials_section(trials: Sequence[Trial], folder: Path, title: str) -> Section:
    """Show film and table of the trials."""
    video = folder / VIDEO
    return Section(
        title,
        'Left what the policy’s camera sees, right the whole arm, while the policy node, the '
        '100 Hz driver and the emulated arm controller ran as separate processes over ROS 2.',
        table=trials_table(trials),
        video=video if video.is_file() else None,
    )
