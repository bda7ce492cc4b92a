"""Read episodes back; whatever is wrong with one is a BadEpisode of one line."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from struct import error as StructError
from typing import Any

from mcap.exceptions import McapError
from mcap.reader import SeekingReader
from mcap.records import Channel, Message, Schema
from mcap.stream_reader import CRCValidationError
from zstandard import ZstdError

from ibc_contract import bag_metadata
from ibc_contract.contract import Contract
from ibc_contract.episode_info import EpisodeInfo
from ibc_contract.episode_writer import DAMAGED, DISCARDED, PARTIAL
from ibc_contract.errors import BadEpisode, DamagedEpisode
from ibc_contract.topics import EPISODE_TOPICS
from ibc_contract.typestore import deserialize

DAMAGE = (
    McapError,
    CRCValidationError,
    ZstdError,
    RuntimeError,
    StructError,
    EOFError,
    KeyError,
    ValueError,
    OverflowError,
    MemoryError,
)
"""What the MCAP reader raises on files that are truncated or have flipped bits."""


class EpisodeReader:
    """A closed episode. Opening it checks its metadata and index, reading checks each chunk."""

    def __init__(self, path: Path) -> None:
        """Open the bag folder `path`, or raise BadEpisode."""
        self.path = Path(path)
        block = bag_metadata.read_information(self.path)
        custom = block.get('custom_data')
        if not isinstance(custom, dict) or 'task' not in custom:
            raise BadEpisode(
                f'{self.path}: not an episode of this stack: its {bag_metadata.FILE_NAME} has no '
                'episode information in custom_data'
            )
        self.info = EpisodeInfo.from_strings(custom, str(self.path))
        files = block.get('relative_file_paths')
        if not isinstance(files, list) or len(files) != 1:
            raise BadEpisode(f'{self.path}: an episode has one MCAP file, this bag lists {files}')
        self.file = self.path / Path(str(files[0])).name
        self._read_summary()

    def require(self, *topics: str) -> None:
        """Raise BadEpisode unless there is at least one message on each relative topic name."""
        for topic in topics:
            if not self.counts.get(topic):
                raise BadEpisode(
                    f'{self.path}: has no messages on {topic}; it has '
                    f'{", ".join(self.counts) or "none at all"}: record it again with that topic'
                )

    def require_contract(self, contract: Contract) -> None:
        """Raise ContractMismatch unless the episode was recorded under `contract`."""
        contract.require_same(
            self.info.contract_hash, f'episode {self.path}', self.info.contract_name
        )

    def raw(self, *topics: str) -> Iterator[tuple[str, int, bytes]]:
        """Yield (relative topic, receive time [ns], CDR bytes) in order of receive time."""
        for topic, message in self.records(*topics):
            yield topic, message.log_time, message.data

    def messages(self, *topics: str) -> Iterator[tuple[str, int, Any]]:
        """Yield (relative topic, receive time [ns], message) in order of receive time."""
        for topic, log_ns, data in self.raw(*(topics or EPISODE_TOPICS)):
            try:
                message = deserialize(EPISODE_TOPICS[topic], data)
            except ValueError as error:
                raise BadEpisode(f'{self.path}: {topic}: {error}') from None
            yield topic, log_ns, message

    def records(self, *topics: str) -> Iterator[tuple[str, Message]]:
        """Yield (relative topic, MCAP message record) in order of receive time."""
        with self._open() as reader:
            wanted = [f'/{topic}' for topic in topics] or None
            for schema, channel, message in reader.iter_messages(topics=wanted):
                yield self._checked(schema, channel), message

    def _read_summary(self) -> None:
        with self._open() as reader:
            summary = reader.get_summary()
            if summary is None or summary.statistics is None:
                raise DamagedEpisode(
                    f'{self.file}: has no index, it was cut off: try `ibc bags repair {self.path}`'
                )
            statistics = summary.statistics
            self.counts = {
                self._checked(summary.schemas.get(channel.schema_id), channel): (
                    statistics.channel_message_counts.get(channel.id, 0)
                )
                for channel in summary.channels.values()
            }
            self.start_ns, self.end_ns = statistics.message_start_time, statistics.message_end_time
        self.duration_s = (self.end_ns - self.start_ns) / 1e9

    def _checked(self, schema: Schema | None, channel: Channel) -> str:
        """Relative name of a channel's topic, whose type must be the one that it has here."""
        topic = channel.topic.removeprefix('/')
        found = schema.name if schema else 'no type'
        expected = EPISODE_TOPICS.get(topic, found)
        if found != expected:
            raise BadEpisode(f'{self.path}: {topic} has type {found}, not {expected}')
        return topic

    @contextmanager
    def _open(self) -> Iterator[SeekingReader]:
        try:
            with self.file.open('rb') as file:
                yield SeekingReader(file, validate_crcs=True)
        except FileNotFoundError:
            raise DamagedEpisode(f'{self.file}: is missing') from None
        except (OSError, *DAMAGE) as error:
            # A wrong length in a damaged file makes the reader seek out of range: EINVAL.
            if isinstance(error, OSError) and error.errno != errno.EINVAL:
                raise DamagedEpisode(f'{self.file}: cannot be read: {error.strerror}') from None
            detail = ' '.join(str(error).split())[:80] or type(error).__name__
            raise DamagedEpisode(
                f'{self.file}: truncated or damaged ({detail}): try `ibc bags repair {self.path}`'
            ) from None


def find_episodes(root: Path) -> list[Path]:
    """Closed episodes below `root`, or `root` itself, sorted.

    Those that are being recorded, were discarded or were replaced by a repaired copy are left out.
    """
    root = Path(root)
    if not root.is_dir():
        raise BadEpisode(f'{root}: there is no such folder')
    bags = [file.parent for file in root.rglob(bag_metadata.FILE_NAME)]
    return sorted(
        bag
        for bag in bags
        if bag.suffix not in (PARTIAL, DAMAGED) and DISCARDED not in bag.relative_to(root).parts
    )
