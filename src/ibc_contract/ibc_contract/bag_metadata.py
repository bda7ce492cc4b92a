"""The `metadata.yaml` of a rosbag2 bag, version 9 as Jazzy writes it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ibc_contract.errors import BadEpisode, DamagedEpisode
from ibc_contract.topics import EPISODE_TOPICS
from ibc_contract.typestore import definition

FILE_NAME = 'metadata.yaml'
ROOT_KEY = 'rosbag2_bagfile_information'
VERSION = 9

_FOREVER = {'sec': 9223372036, 'nsec': 854775807}
QOS_PROFILES: list[dict[str, Any]] = [
    {
        'history': 'keep_last',
        'depth': 10,
        'reliability': 'reliable',
        'durability': 'volatile',
        'deadline': _FOREVER,
        'lifespan': _FOREVER,
        'liveliness': 'automatic',
        'liveliness_lease_duration': _FOREVER,
        'avoid_ros_namespace_conventions': False,
    }
]
"""Offered QoS of every episode topic: reliable, so that `ros2 bag play` offers the same."""


@dataclass(frozen=True)
class BagContents:
    """What a bag's single MCAP file holds."""

    file_name: str
    counts: Mapping[str, int]
    """Messages by relative topic name."""
    start_ns: int
    end_ns: int


_Loader = getattr(yaml, 'CSafeLoader', yaml.SafeLoader)
"""Ten times as fast where PyYAML was built with libyaml, as its wheels are."""


class _Dumper(yaml.SafeDumper):
    """Repeats equal parts instead of using YAML anchors, which rosbag2 does not write."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def qos_text() -> str:
    """Offered QoS as the YAML text that an MCAP channel's metadata holds."""
    return yaml.dump(QOS_PROFILES, Dumper=_Dumper, sort_keys=False).strip()


def metadata_text(contents: BagContents, custom_data: Mapping[str, str]) -> str:
    """Return the text of `metadata.yaml`."""
    return _dump({ROOT_KEY: information(contents, custom_data)})


def information(contents: BagContents, custom_data: Mapping[str, str]) -> dict[str, Any]:
    """Return the bag information block of `metadata.yaml`."""
    total = sum(contents.counts.values())
    span: dict[str, Any] = {
        'duration': {'nanoseconds': contents.end_ns - contents.start_ns},
        'starting_time': {'nanoseconds_since_epoch': contents.start_ns},
        'message_count': total,
    }
    return {
        'version': VERSION,
        'storage_identifier': 'mcap',
        **span,
        'topics_with_message_count': [
            _topic(name, count) for name, count in contents.counts.items()
        ],
        'compression_format': '',
        'compression_mode': '',
        'relative_file_paths': [contents.file_name],
        'files': [{'path': contents.file_name, **span}],
        'custom_data': dict(custom_data),
        'ros_distro': 'jazzy',
    }


def read_information(bag: Path) -> dict[str, Any]:
    """Return the bag information block of the bag's `metadata.yaml`, or raise BadEpisode."""
    path = bag / FILE_NAME
    if not bag.is_dir():
        raise BadEpisode(f'{bag}: there is no such folder')
    try:
        data = yaml.load(path.read_text(), _Loader)
    except FileNotFoundError:
        raise BadEpisode(
            f'{bag}: there is no {FILE_NAME}: not a bag, or its recorder was killed; '
            f'try `ibc bags repair {bag}`'
        ) from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        line = ' '.join(str(error).split())
        raise DamagedEpisode(
            f'{path}: cannot be read ({line}): try `ibc bags repair {bag}`'
        ) from None
    block = data.get(ROOT_KEY) if isinstance(data, dict) else None
    if not isinstance(block, dict):
        raise BadEpisode(f'{path}: has no {ROOT_KEY}: not the metadata of a rosbag2 bag')
    return block


def end_ns(block: Mapping[str, Any]) -> int | None:
    """Return when the last message of a closed bag was received [ns]; None where none says."""
    try:
        start = block['starting_time']['nanoseconds_since_epoch']
        return int(start) + int(block['duration']['nanoseconds'])
    except (KeyError, TypeError, ValueError):
        return None


def write_information(bag: Path, block: Mapping[str, Any]) -> None:
    """Replace the bag's `metadata.yaml` in one atomic step that survives a power cut."""
    replace_text(bag / FILE_NAME, _dump({ROOT_KEY: dict(block)}))


def replace_text(path: Path, text: str) -> None:
    """Replace a file's text in one atomic step that survives a power cut."""
    fresh = path.with_name(path.name + '.new')
    with fresh.open('w') as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make renames inside a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _topic(name: str, count: int) -> dict[str, Any]:
    message_type = EPISODE_TOPICS[name]
    return {
        'topic_metadata': {
            'name': f'/{name}',
            'type': message_type,
            'serialization_format': 'cdr',
            'offered_qos_profiles': QOS_PROFILES,
            'type_description_hash': definition(message_type)[1],
        },
        'message_count': count,
    }


def _dump(data: Mapping[str, Any]) -> str:
    return yaml.dump(dict(data), Dumper=_Dumper, sort_keys=False, width=1000)
