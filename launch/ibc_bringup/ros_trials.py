"""Try a trained policy through the whole ROS graph: twin, camera, driver, policy node."""

from pathlib import Path

from ibc_bringup.report import Section, Table
from ibc_bringup.session import run_to_end
from ibc_bringup.trials import Trial, read_trials
from ibc_contract.errors import IbcError

START_S = 90.0
"""Time for every node to come up and shut down on a slow machine [s]."""
VIDEO = 'trials.mp4'
RESULTS = 'trials.json'
LOG = 'trials.log'


def try_model(
    model: str, task: str, folder: Path, trials: int, seconds: float, window: bool = False
) -> list[Trial]:
    """Run up to `trials` trials in about `seconds` [s]; film and results go to `folder`."""
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
    run_to_end('run_policy', given, folder / LOG, 2 * seconds + START_S)
    done = read_trials(folder / RESULTS)
    if not done:
        raise IbcError(f'no trial was finished: see {folder / LOG}')
    return done


def trials_table(trials: list[Trial]) -> Table:
    """Tabulate the trials, one per row."""
    return Table(
        ('trial', 'outcome', 'score', 'seconds'),
        [
            (str(i), 'success' if t.success else 'failure', f'{t.score:.2f}', f'{t.seconds:.1f}')
            for i, t in enumerate(trials, start=1)
        ],
    )


def trials_section(trials: list[Trial], folder: Path, title: str) -> Section:
    """Show film and table of the trials."""
    video = folder / VIDEO
    return Section(
        title,
        'Filmed by the twin’s camera while the policy node, the 100 Hz driver and the emulated '
        'arm controller ran as separate processes over ROS 2.',
        table=trials_table(trials),
        video=video if video.is_file() else None,
    )
