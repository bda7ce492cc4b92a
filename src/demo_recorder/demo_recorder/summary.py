"""What is in an episode, as plain data."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from demo_recorder.stream_health import StreamHealth
from ibc_contract.episode_reader import EpisodeReader
from ibc_contract.topics import EPISODE_TOPICS


def episode_summary(path: Path) -> dict[str, Any]:
    """Return facts, counts, rates, gaps and sizes of an episode; JSON can hold all of it.

    Rates and gaps are of the receive times.

    Raises:
        BadEpisode: The bag is damaged.
    """
    reader = EpisodeReader(path)
    info = reader.info
    streams = stream_counts(reader)
    return {
        'name': reader.path.name,
        'path': str(reader.path),
        'task': info.task,
        'outcome': info.outcome,
        'source': info.source,
        'seed': info.seed,
        'operator': info.operator,
        'note': info.note,
        'calibration': info.calibration,
        'camera': info.camera,
        'contract': info.contract_name,
        'contract_hash': info.contract_hash,
        'started': datetime.fromtimestamp(info.started_ns / 1e9, UTC).isoformat(),
        'duration_s': round(reader.duration_s, 3),
        'messages': sum(reader.counts.values()),
        'size_bytes': reader.file.stat().st_size,
        'sha256': _sha256(reader.file),
        'topics': {
            topic: {
                'type': EPISODE_TOPICS.get(topic, ''),
                'messages': stream.count,
                'rate_hz': round(stream.rate_hz, 2),
                'longest_gap_s': round(stream.longest_gap_ns / 1e9, 4),
                'size_bytes': stream.size_bytes,
            }
            for topic, stream in streams.items()
        },
    }


def stream_counts(reader: EpisodeReader) -> dict[str, StreamHealth]:
    """Count what an episode holds on each topic."""
    streams = {topic: StreamHealth() for topic in reader.counts}
    for topic, log_ns, data in reader.raw():
        streams[topic].add(log_ns, len(data))
    return streams


def _sha256(file: Path) -> str:
    with file.open('rb') as stream:
        return hashlib.file_digest(stream, 'sha256').hexdigest()
