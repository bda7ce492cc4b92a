"""Films of episodes in the in-process twin: what the policy's camera saw, with time and score."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ibc_bringup.video import Mp4Writer, with_caption
from ibc_contract.images import decode_jpeg
from implicit_bc.rollout import Episode

LINGER_S = 2.0
"""How long the last picture stays [s]."""


@dataclass(frozen=True)
class EpisodeFilms:
    """Makes one film per episode, `NAME-SEED.mp4`; picklable, for worker processes."""

    folder: Path
    name: str
    period_s: float
    """Between two pictures [s]."""
    successes: bool = False
    """Whether those are filmed too."""

    def __call__(self, seed: int) -> 'EpisodeFilm':
        """Begin the film of an episode."""
        return EpisodeFilm(self, seed)


class EpisodeFilm:
    """Keeps the pictures of one episode until it is known whether it is to be seen."""

    def __init__(self, films: EpisodeFilms, seed: int) -> None:
        self._films = films
        self._seed = seed
        self._seen: list[tuple[bytes, float, float]] = []

    def step(self, observation: Any, action: np.ndarray, info: dict[str, Any]) -> None:
        """Take the picture of this step."""
        self._seen.append((info['jpeg'], info['seconds'], info['score']))

    def end(self, episode: Episode) -> None:
        """Write the film, if it is wanted; IbcError where that is impossible."""
        if episode.success and not self._films.successes:
            return
        films, fps = self._films, round(1 / self._films.period_s)
        path = films.folder / f'{films.name}-{self._seed}.mp4'
        with Mp4Writer(path, fps) as film:
            for jpeg, seconds, score in self._seen:
                film.add(with_caption(decode_jpeg(jpeg), self._words(seconds, score)))
            jpeg, seconds, score = self._seen[-1]
            why = ', '.join(filter(None, (episode.failure, episode.ending)))
            words = (*self._words(seconds, score), why)
            last = with_caption(decode_jpeg(jpeg), words, done=episode.success)
            for _ in range(round(LINGER_S * fps)):
                film.add(last)

    def _words(self, seconds: float, score: float) -> tuple[str, ...]:
        return f'seed {self._seed}', f'{seconds:4.1f} s', f'score {score:.2f}'
