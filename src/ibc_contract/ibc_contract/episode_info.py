"""What is known about an episode besides its messages, and how its bag carries it."""

import dataclasses
import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import pydantic
from pydantic import Field

from ibc_contract.contract import Contract
from ibc_contract.errors import BadEpisode

Outcome = Literal['success', 'failure', 'unlabelled']
Source = Literal['ros', 'twin']

SCHEMA = 1
RECORD = 'ibc_episode'
"""Name of the MCAP metadata record that holds an EpisodeInfo; the last one in a file counts."""


@pydantic.dataclasses.dataclass(frozen=True)
class EpisodeInfo:
    """Facts about one episode. They travel in its bag's `custom_data` and inside the MCAP file."""

    task: str
    contract_name: str
    contract_hash: str
    source: Source
    started_ns: int
    """Start of the recording, since the epoch [ns]."""
    operator: str = ''
    note: str = ''
    calibration: str = ''
    """Camera calibration that was in use, as text; empty when unknown."""
    camera: dict[str, str] = Field(default_factory=dict)
    """What the camera last said of itself before: model, mode, exposure, ...; empty if nothing."""
    seed: int | None = None
    """Seed of the twin's layout, None on a real robot."""
    outcome: Outcome = 'unlabelled'
    schema: Annotated[int, Field(ge=1)] = SCHEMA

    def to_strings(self) -> dict[str, str]:
        """Return the facts as strings, JSON where they are not text: bags hold nothing else."""
        return {
            name: value if isinstance(value, str) else json.dumps(value)
            for name, value in dataclasses.asdict(self).items()
        }

    @classmethod
    def from_strings(cls, data: Mapping[str, str], where: str) -> 'EpisodeInfo':
        """Read what `to_strings` wrote; BadEpisode names `where` and the field that is wrong."""
        hints = {field.name: field.type for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
        values: dict[str, Any] = {}
        try:
            for name in hints.keys() & data.keys():
                plain = hints[name] in (str, Outcome, Source)
                values[name] = data[name] if plain else json.loads(data[name])
            info = pydantic.TypeAdapter(cls).validate_python(values)
        except pydantic.ValidationError as error:
            first = error.errors()[0]
            field = '.'.join(str(part) for part in first['loc'])
            raise BadEpisode(f'{where}: episode field {field!r}: {first["msg"]}') from None
        except (ValueError, TypeError) as error:
            raise BadEpisode(f'{where}: episode information is damaged: {error}') from None
        if info.schema > SCHEMA:
            raise BadEpisode(
                f'{where}: written with episode schema {info.schema}, this version reads up to '
                f'{SCHEMA}: update this stack'
            )
        return info


def new_episode_info(task: str, contract: Contract, source: Source, started_ns: int) -> EpisodeInfo:
    """Facts of an episode that begins now under `contract`; add the rest with `replace`."""
    return EpisodeInfo(task, contract.name, contract.hash, source, started_ns)
