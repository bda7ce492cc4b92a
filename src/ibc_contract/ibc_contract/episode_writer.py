"""Write one episode: an MCAP rosbag2 bag that a crash or a full disk cannot spoil.

The bag is written in `<root>/<name>.partial` and renamed when it is closed, so a folder without the
suffix is always whole. What was recorded reaches the disk about once a second.
"""

import contextlib
import dataclasses
import re
import time
from datetime import UTC, datetime
from pathlib import Path

import yaml
from mcap.writer import CompressionType, Writer

from ibc_contract import bag_metadata
from ibc_contract.durable_file import DurableFile
from ibc_contract.episode_info import RECORD, EpisodeInfo, Outcome
from ibc_contract.errors import BadEpisode, IbcError, RecordingFailed
from ibc_contract.topics import EPISODE_TOPICS
from ibc_contract.typestore import definition

PARTIAL = '.partial'
DAMAGED = '.damaged'
REPAIRED = '_repaired'
DISCARDED = 'discarded'
CHUNK_BYTES = 1 << 20
SYNC_PERIOD_S = 1.0

__all__ = ['EpisodeInfo', 'EpisodeWriter', 'mark_episode']


class EpisodeWriter:
    """An episode that is being recorded. Not for use from several threads at once."""

    def __init__(self, root: Path, info: EpisodeInfo, name: str | None = None) -> None:
        """Begin `<root>/<name>.partial`; without a name, one is made from start time and task.

        Raises:
            RecordingFailed: The folder cannot be written, or there is no space.
        """
        self.name = _free_name(root, info, name)
        self.path = root / f'{self.name}{PARTIAL}'
        """Where it is now: a folder of another name while recording."""
        self.info = info
        self.counts: dict[str, int] = {}
        """Messages so far by relative topic name."""
        self.start_ns = 0
        self.end_ns = 0
        self._root = root
        self._channels: dict[str, int] = {}
        self._failure: RecordingFailed | None = None
        self._closed = False
        try:
            self.path.mkdir(parents=True)
            self._file = self._begin()
        except OSError as error:
            raise RecordingFailed(
                f'{self.path}: cannot begin to record: {error.strerror}: free some space or choose '
                'another folder'
            ) from None
        self._mcap = Writer(
            self._file,  # type: ignore[arg-type]
            chunk_size=CHUNK_BYTES,
            compression=CompressionType.ZSTD,
        )
        self._mcap.start(profile='ros2', library='ibc_contract')
        self._mcap.add_metadata(RECORD, info.to_strings())
        self.sync()

    @property
    def size_bytes(self) -> int:
        """Bytes of the MCAP file so far."""
        return self._file.tell()

    def write(self, topic: str, log_ns: int, data: bytes, publish_ns: int | None = None) -> None:
        """Add one message.

        Args:
            topic: Relative name, one of `topics.EPISODE_TOPICS`.
            log_ns: When it was received [ns since the epoch].
            data: CDR bytes.
            publish_ns: When it was sent; as `log_ns` if not given.

        Raises:
            RecordingFailed: The disk is full or failing. `close` saves what was written.
        """
        if self._failure is not None:
            raise self._failure
        if topic not in self._channels:
            self._channels[topic] = self._register(topic)
            self.counts[topic] = 0
        if not any(self.counts.values()):
            self.start_ns = self.end_ns = log_ns
        self._mcap.add_message(
            self._channels[topic],
            log_time=log_ns,
            data=data,
            publish_time=log_ns if publish_ns is None else publish_ns,
            sequence=self.counts[topic],
        )
        self.counts[topic] += 1
        self.start_ns, self.end_ns = min(self.start_ns, log_ns), max(self.end_ns, log_ns)
        self._write_through()

    def sync(self) -> None:
        """Bring everything written so far to the disk; RecordingFailed when it cannot."""
        try:
            self._mcap.flush()
            self._file.sync()
        except OSError as error:
            raise self._failed(error) from None
        self._synced_at = time.monotonic()
        self._raise_if_full()

    def update(self, outcome: Outcome | None = None, note: str | None = None) -> None:
        """Change outcome or note; the change survives a crash."""
        changes = {'outcome': outcome, 'note': note}
        kept = {name: value for name, value in changes.items() if value is not None}
        self.info = dataclasses.replace(self.info, **kept)  # type: ignore[arg-type]
        if self._failure is None:
            self._mcap.flush()  # records between chunks may only follow a whole chunk
            self._mcap.add_metadata(RECORD, self.info.to_strings())
            self.sync()

    def close(self, outcome: Outcome | None = None, remark: str = '') -> Path:
        """Finish the bag, add `remark` to its note, and return its final name.

        Works after `write` has failed for lack of space, too.

        Raises:
            RecordingFailed: The bag could not be finished; the partial one can be repaired.
        """
        note = ' / '.join(part for part in (self.info.note, remark) if part)
        return self._finish(self._root / self.name, outcome, note)

    def close_cut_off(self, remark: str, outcome: Outcome | None = None) -> Path:
        """Close a bag whose last messages are missing: no success was recorded to its end.

        That it was marked so stays in the note, after `remark`.
        """
        if (outcome or self.info.outcome) == 'success':
            outcome, remark = 'unlabelled', f'{remark}; was marked as success'
        return self.close(outcome, remark)

    def discard(self) -> Path:
        """Finish the bag in `<root>/discarded`, where no dataset looks, and return its path."""
        return self._finish(self._root / DISCARDED / self.name, None, None)

    def _finish(self, target: Path, outcome: Outcome | None, note: str | None) -> Path:
        if self._closed:
            raise IbcError(f'episode {self.name} is already closed')
        self._closed = True
        changes = {'outcome': outcome, 'note': note}
        kept = {name: value for name, value in changes.items() if value is not None}
        self.info = dataclasses.replace(self.info, **kept)  # type: ignore[arg-type]
        contents = bag_metadata.BagContents(
            self._file_name, self.counts, self.start_ns, self.end_ns
        )
        custom = self.info.to_strings()
        try:
            self._mcap.flush()
            self._mcap.add_metadata(RECORD, custom)
            block = yaml.safe_dump(bag_metadata.information(contents, custom), sort_keys=False)
            self._mcap.add_metadata('rosbag2', {'serialized_metadata': block})
            self._mcap.finish()
            self._file.sync()
            self._file.close()
            bag_metadata.replace_text(
                self.path / bag_metadata.FILE_NAME, bag_metadata.metadata_text(contents, custom)
            )
            target.parent.mkdir(exist_ok=True)
            self.path.rename(target)
            self.path = target
            bag_metadata.sync_folder(target.parent)
        except OSError as error:
            with contextlib.suppress(OSError):
                self._file.close()  # while it is open, nobody may repair it
            raise RecordingFailed(
                f'{error.strerror}, mend this, then try `ibc bags repair {self.path}`'
            ) from None
        return target

    def _begin(self) -> DurableFile:
        try:
            bag_metadata.sync_folder(self._root)
            return DurableFile(self.path / self._file_name)
        except OSError:
            self.path.rmdir()  # nothing is recorded yet
            raise

    @property
    def _file_name(self) -> str:
        return f'{self.name}_0.mcap'

    def _register(self, topic: str) -> int:
        if topic not in EPISODE_TOPICS:
            known = ', '.join(EPISODE_TOPICS)
            raise IbcError(f'{topic!r} is not a topic of an episode; known: {known}')
        message_type = EPISODE_TOPICS[topic]
        text, digest = definition(message_type)
        schema = self._mcap.register_schema(message_type, 'ros2msg', text.encode())
        metadata = {'offered_qos_profiles': bag_metadata.qos_text(), 'topic_type_hash': digest}
        return self._mcap.register_channel(f'/{topic}', 'cdr', schema, metadata)

    def _write_through(self) -> None:
        if time.monotonic() - self._synced_at > SYNC_PERIOD_S:
            self.sync()
        elif self._file.pending:  # the MCAP writer has just completed a chunk
            try:
                self._file.flush_records()
            except OSError as error:
                raise self._failed(error) from None
            self._raise_if_full()

    def _raise_if_full(self) -> None:
        if self._file.is_full and self._failure is None and not self._closed:
            self._failure = RecordingFailed(f'the disk is full, free some space: {self.path}')
            raise self._failure

    def _failed(self, error: OSError) -> RecordingFailed:
        self._failure = RecordingFailed(f'{error.strerror}, check the disk: {self.path}')
        return self._failure


def mark_episode(path: Path, outcome: Outcome | None = None, note: str | None = None) -> None:
    """Change outcome or note of a closed episode in one atomic step.

    Raises:
        BadEpisode: `path` is not an episode.
        RecordingFailed: The metadata cannot be written.
    """
    block = bag_metadata.read_information(path)
    custom = block.get('custom_data')
    if not isinstance(custom, dict):
        raise BadEpisode(f'{path}: not an episode of this stack: its metadata has no custom_data')
    info = EpisodeInfo.from_strings(custom, str(path))
    changes = {'outcome': outcome, 'note': note}
    kept = {name: value for name, value in changes.items() if value is not None}
    info = dataclasses.replace(info, **kept)  # type: ignore[arg-type]
    try:
        bag_metadata.write_information(path, {**block, 'custom_data': info.to_strings()})
    except OSError as error:
        raise RecordingFailed(f'{path}: cannot be marked: {error.strerror}') from None


def _free_name(root: Path, info: EpisodeInfo, name: str | None) -> str:
    """Return `name`, or one from start time and task; never one that is in use."""
    taken = [root, root / DISCARDED]

    def is_free(candidate: str) -> bool:
        return not any(
            (folder / f'{candidate}{suffix}').exists()
            for folder in taken
            for suffix in ('', PARTIAL, DAMAGED)  # what it was repaired from keeps its name
        )

    if name is not None:
        if not is_free(name):
            raise RecordingFailed(
                f'{root / name}: there is already an episode of this name, here or in '
                f'{DISCARDED}: choose another name or root'
            )
        return name
    start = datetime.fromtimestamp(info.started_ns / 1e9, UTC).strftime('%Y%m%dT%H%M%S')
    base = f'{start}_{re.sub("[^A-Za-z0-9_-]+", "_", info.task) or "episode"}'
    candidates = (base if i == 1 else f'{base}_{i}' for i in range(1, 10_000))
    return next(candidate for candidate in candidates if is_free(candidate))
