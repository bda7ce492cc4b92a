"""Writes an episode in a thread of its own, so that a slow disk never delays who receives."""

import logging
import queue
import threading
from collections.abc import Callable
from pathlib import Path

from ibc_contract.episode_info import Outcome
from ibc_contract.episode_writer import EpisodeWriter
from ibc_contract.errors import IbcError, RecordingFailed

log = logging.getLogger(__name__)

IDLE_SYNC_S = 0.5
"""Without messages for this long, what there is goes to the disk [s]."""
CLOSE_TIMEOUT_S = 15.0
"""A disk that takes longer to catch up is taken for dead [s]."""


class BackgroundWriter:
    """Owns an EpisodeWriter from its creation until `finish`."""

    def __init__(self, writer: EpisodeWriter, queue_bytes: int) -> None:
        """Begin to write; at most `queue_bytes` of messages wait in memory."""
        self.name = writer.name
        self.failure: IbcError | None = None
        """Why writing ended early; None while all is well."""
        self.reason = ''
        """The same in words, without the folder, which gets another name in the end."""
        self.dropped = 0
        """Messages that are missing because the disk was too slow or writing ended early."""
        self._writer = writer
        self._limit = queue_bytes
        self._waiting = 0
        self._accepted = 0
        self._lock = threading.Lock()
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name='episode writer', daemon=True)
        self._thread.start()

    def put(self, topic: str, log_ns: int, data: bytes, publish_ns: int | None) -> None:
        """Queue one message; never blocks."""
        size = len(data)
        with self._lock:
            full = self._waiting + size > self._limit
            self._waiting += 0 if full else size
        if full or self.failure is not None:
            self.dropped += 1
            return
        self._accepted += 1

        def job() -> None:
            with self._lock:
                self._waiting -= size
            self._writer.write(topic, log_ns, data, publish_ns)

        self._jobs.put(job)

    def mark(self, outcome: Outcome) -> None:
        """Queue a change of the outcome."""
        self._jobs.put(lambda: self._writer.update(outcome=outcome))

    def finish(self, how: Callable[[EpisodeWriter], Path]) -> Path:
        """Write what waits, then finish the episode with `how`, and return where it is.

        Raises:
            RecordingFailed: The disk does not keep up, or finishing failed.
        """
        self._jobs.put(None)
        self._thread.join(CLOSE_TIMEOUT_S)
        if self._thread.is_alive():
            raise RecordingFailed(
                f'the disk did not answer for {CLOSE_TIMEOUT_S:.0f} s: check it, then try '
                f'`ibc bags repair {self._writer.path}`'
            )
        self.dropped += self._accepted - sum(self._writer.counts.values())
        return how(self._writer)

    def _run(self) -> None:
        try:
            self._write_until_finished()
        except IbcError as error:
            self.fail(error)
        except Exception:
            log.exception('episode writer')
            reason = 'writing ended by an error of its own, see the log'
            self.fail(RecordingFailed(f'{reason}: {self._writer.path}'))

    def fail(self, error: IbcError) -> None:
        """Write nothing that comes from now on; `finish` saves what came before."""
        self.reason = str(error).removesuffix(f': {self._writer.path}')
        self.failure = error

    def _write_until_finished(self) -> None:
        while True:
            try:
                job = self._jobs.get(timeout=IDLE_SYNC_S)
            except queue.Empty:
                self._writer.sync()
                continue
            if job is None:
                return
            job()
