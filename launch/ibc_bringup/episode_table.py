"""The episodes of an evaluation as a CSV file, one row each."""

import csv
from collections.abc import Sequence
from pathlib import Path

from ibc_contract.errors import IbcError
from implicit_bc.rollout import Episode

COLUMNS = (
    'seed', 'success', 'score', 'seconds', 'steps', 'failure', 'ending', 'interventions',
)  # fmt: skip


def write_episodes(path: Path, episodes: Sequence[Episode]) -> None:
    """Write one row per episode; the folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open('w', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(map(_row, episodes))


def read_episodes(path: Path) -> list[Episode]:
    """Read what `write_episodes` wrote; IbcError names the file and what is wrong."""
    try:
        with path.open(newline='') as file:
            episodes = [_episode(row) for row in csv.DictReader(file)]
    except OSError as error:
        raise IbcError(f'{path}: {error.strerror}') from None
    except (KeyError, ValueError, TypeError, UnicodeError, csv.Error) as error:
        raise IbcError(f'{path}: not the episodes of an ibc eval: {error!r}') from None
    if not episodes:
        raise IbcError(f'{path}: holds no episodes')
    return episodes


def _row(episode: Episode) -> tuple[object, ...]:
    return (
        episode.seed,
        int(episode.success),
        f'{episode.score:.6g}',
        '' if episode.seconds is None else f'{episode.seconds:.2f}',
        episode.steps,
        episode.failure,
        episode.ending,
        ' '.join(f'{kind}={count}' for kind, count in sorted(episode.interventions.items())),
    )


def _episode(row: dict[str, str]) -> Episode:
    gate = dict(word.split('=') for word in row['interventions'].split())
    return Episode(
        int(row['seed']),
        float(row['score']),
        bool(int(row['success'])),
        int(row['steps']),
        float(row['seconds']) if row['seconds'] else None,
        {kind: int(count) for kind, count in gate.items()},
        row['failure'],
        row['ending'],
    )
