"""Try a trained policy through the whole ROS graph: twin, camera, driver, policy node."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ibc_bringup.report import Section, Table
from ibc_bringup.session import run_to_end
from ibc_bringup.trials import Trial, finished, read_trials
from implicit_bc.rollout import Episode
from xarm_twin.tasks import get_task

START_S = 90.0
"""Time for every node to come up and shut down on a slow machine [s]."""
BETWEEN_S = 30.0
"""Time for policy off, arm home and a new layout between two trials on a slow machine [s]."""
VIDEO = 'trials.mp4'
RESULTS = 'trials.json'
LOG = 'trials.log'


def try_model(
    model: str, task: str, folder: Path, trials: int, seconds: float, window: bool = False
) -> list[Trial]:
    """Run up to `trials` trials in `seconds` [s]; film and results go to `folder`.

    The last one is stopped when the time is over, or when a person closes the window.
    """
    given = {
        'model': model,
        'task': task,
        'trials': str(trials),
        'seconds': str(seconds),
        'video': str(folder / VIDEO),
        'teleop': str(window).lower(),
    }
    _run(given, folder, seconds)
    return trials_so_far(folder)


def roll_out_through_ros(
    model: str, task: str, seeds: range, folder: Path, period_s: float, given: Mapping[str, str]
) -> Iterator[Episode]:
    """Yield the episodes of `seeds`, when all have been tried in real time or an interrupt came.

    Args:
        model: Name or folder of a bundle.
        task: Name of the task.
        seeds: Of the layouts, counting up by one.
        folder: Receives results and log.
        period_s: Between two decisions of the model [s].
        given: Further arguments of the stack.

    Raises:
        IbcError: A node failed; the message names the log.
        KeyboardInterrupt: It was interrupted; the trials that were finished were yielded.
    """
    cut: KeyboardInterrupt | None = None
    seconds = len(seeds) * (get_task(task).horizon_s + BETWEEN_S)
    asked = {'model': model, 'task': task, 'trials': str(len(seeds)), 'seed': str(seeds[0])}
    try:
        _run({**asked, **given}, folder, seconds)
    except KeyboardInterrupt as error:
        cut = error
    for seed, trial in zip(seeds, finished(trials_so_far(folder)), strict=False):
        yield Episode(
            seed if trial.seed is None else trial.seed,
            trial.score,
            trial.success,
            round(trial.seconds / period_s),
            trial.seconds,
            trial.interventions,
            trial.failure,
            trial.ending,
        )
    if cut is not None:
        raise cut


def _run(given: Mapping[str, str], folder: Path, seconds: float) -> None:
    """Run trials, which take up to `seconds` [s], with results and log in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in (VIDEO, RESULTS):
        (folder / name).unlink(missing_ok=True)
    settled = {'results': str(folder / RESULTS)}
    run_to_end('run_policy', {**given, **settled}, folder / LOG, seconds + START_S, relay='trials')


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
