"""Recover what a killed recorder or a broken disk left of an episode."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from mcap.records import Channel, Chunk, McapRecord, Message, Metadata, Statistics
from mcap.stream_reader import StreamReader, breakup_chunk

from demo_recorder.summary import stream_counts
from ibc_contract import bag_metadata
from ibc_contract.durable_file import is_being_written
from ibc_contract.episode_info import RECORD, EpisodeInfo
from ibc_contract.episode_reader import DAMAGE, EpisodeReader
from ibc_contract.episode_writer import DAMAGED, PARTIAL, REPAIRED, EpisodeWriter
from ibc_contract.errors import BadEpisode, IbcError, RecordingFailed
from ibc_contract.topics import EPISODE_TOPICS

AWAY = 'delete it, or move it elsewhere'
"""What is left to do about an episode that nothing can be saved of."""


class Salvage:
    """What can be read from a damaged MCAP file."""

    def __init__(self, file: Path) -> None:
        """Survey the file, which may be of any size: its chunks are read one by one."""
        self.info: EpisodeInfo | None = None
        """The newest facts in the file."""
        self.lost_chunks = 0
        """Chunks that failed their checksum and were left out."""
        self.end_ns: int | None = None
        """When the last message was received, if the file was closed and still says so."""
        self._file = file
        self._topics: dict[int, str] = {}
        # Channels stand in the chunk of their first message and again at the end of the file.
        for record in self._records():
            if isinstance(record, Channel):
                self._topics[record.id] = record.topic.removeprefix('/')
            elif isinstance(record, Metadata) and record.name == RECORD:
                self.info = EpisodeInfo.from_strings(record.metadata, str(file))
            elif isinstance(record, Statistics):
                self.end_ns = record.message_end_time

    def messages(self) -> Iterator[tuple[str, Message]]:
        """Yield (relative topic, record) of every message that can be read, in file order."""
        for record in self._records():
            if isinstance(record, Message):
                topic = self._topics.get(record.channel_id, '')
                if topic in EPISODE_TOPICS:
                    yield topic, record

    def _records(self) -> Iterator[McapRecord]:
        """Yield records, those inside chunks included, until the file ends or makes no sense."""
        self.lost_chunks = 0
        with self._file.open('rb') as stream:
            # 1 GiB: a flipped bit in a length must not ask for more memory than there is.
            reader = StreamReader(stream, emit_chunks=True, record_size_limit=1 << 30)
            records = iter(reader.records)
            while True:
                try:
                    record = next(records)
                except (StopIteration, *DAMAGE):
                    return
                if isinstance(record, Chunk):
                    yield from self._chunk(record)
                else:
                    yield record

    def _chunk(self, chunk: Chunk) -> list[McapRecord]:
        try:
            return breakup_chunk(chunk, validate_crc=True)
        except DAMAGE:
            self.lost_chunks += 1
            return []


def is_sound(path: Path) -> bool:
    """Whether the episode at `path` was closed and can be read from its beginning to its end."""
    try:
        stream_counts(EpisodeReader(path))  # reads every chunk and checks its sum
    except BadEpisode:
        return False
    return path.suffix != PARTIAL


def repair_episode(path: Path) -> Path:
    """Write what can be read of the episode at `path` as a new bag, and return the new folder.

    The original is kept beside it, with the suffix `.damaged`. What has lost its end is no success.

    Args:
        path: A `.partial` folder, or the folder of a bag that is truncated or damaged.

    Raises:
        BadEpisode: Nothing can be recovered, nothing has to be, or the episode is still being
            recorded.
        RecordingFailed: The new bag cannot be written.
    """
    path = Path(path)
    file = _mcap_file(path)
    try:
        if is_being_written(file):
            raise BadEpisode(f'{path}: is still being recorded: stop the recorder first')
    except OSError as error:
        raise BadEpisode(f'{file}: cannot be read: {error.strerror}') from None
    if is_sound(path):
        raise BadEpisode(f'{path}: is sound, there is nothing to repair')
    salvage = Salvage(file)
    info, end_ns = _newest_facts(path, salvage)
    name = f'{path.name.removesuffix(PARTIAL)}{REPAIRED}'
    writer = EpisodeWriter(path.parent, info, name)
    try:
        repaired = _copy(path, salvage, writer, end_ns)
    except IbcError:
        shutil.rmtree(writer.path, ignore_errors=True)  # the original is untouched
        raise
    try:
        path.rename(path.with_name(f'{path.name.removesuffix(PARTIAL)}{DAMAGED}'))
    except OSError as error:
        raise RecordingFailed(
            f'{path}: was repaired as {repaired}, but cannot be renamed: {error.strerror}'
        ) from None
    return repaired


def _copy(path: Path, salvage: Salvage, writer: EpisodeWriter, end_ns: int | None) -> Path:
    for topic, message in salvage.messages():
        writer.write(topic, message.log_time, message.data, message.publish_time)
    count = sum(writer.counts.values())
    if not count:
        raise BadEpisode(f'{path}: not a single message can be recovered: {AWAY}')
    remark = f'repaired: {count} messages recovered'
    if salvage.lost_chunks:
        remark += f', {salvage.lost_chunks} chunks were damaged'
    if end_ns is None or writer.end_ns < end_ns:
        return writer.close_cut_off(f'{remark}, the end is missing')
    return writer.close(remark=remark)


def _mcap_file(path: Path) -> Path:
    if not path.is_dir():
        raise BadEpisode(f'{path}: there is no such folder')
    files = sorted(path.glob('*.mcap'))
    if not files and path.suffix == PARTIAL:
        raise BadEpisode(f'{path}: was killed before it held anything: {AWAY}')
    if len(files) != 1:
        raise BadEpisode(
            f'{path}: is not the folder of an episode: it has {len(files)} MCAP files, not one'
        )
    return files[0]


def _newest_facts(path: Path, salvage: Salvage) -> tuple[EpisodeInfo, int | None]:
    """Find the newest facts and when the episode ended [ns], None if it was never closed.

    Those of `metadata.yaml` are the newest, else the last ones in the file.
    """
    try:
        block = bag_metadata.read_information(path)
        custom = block.get('custom_data')
        if isinstance(custom, dict):
            return EpisodeInfo.from_strings(custom, str(path)), bag_metadata.end_ns(block)
    except BadEpisode:
        pass  # the file has its own copy
    if salvage.info is None:
        raise BadEpisode(
            f'{path}: cannot be repaired, its file does not say what was recorded: {AWAY}'
        )
    return salvage.info, salvage.end_ns
