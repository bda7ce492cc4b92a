"""The contract: what an observation and an action are, as data with a hash.

Bags, dataset caches and model bundles all carry the hash. What was made under one contract is never
read under another: `Contract.require_same` refuses and names both sides.
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Annotated, Any, Literal

import pydantic
import yaml
from pydantic import Field

from ibc_contract.errors import ContractMismatch, IbcError

Positive = Annotated[float, Field(gt=0)]


@pydantic.dataclasses.dataclass(frozen=True)
class ImageObservation:
    """A window of camera frames, resized by area averaging and kept as uint8 RGB."""

    width_px: Annotated[int, Field(ge=8)]
    height_px: Annotated[int, Field(ge=8)]
    max_age_s: Positive
    """A frame older than this at its tick makes the observation stale [s]."""
    kind: Literal['image'] = 'image'


@pydantic.dataclasses.dataclass(frozen=True)
class StateObservation:
    """Setpoint and object poses, which only a twin knows: the plain-MLP case of the paper.

    Layout per time step: setpoint x, y [m], then x, y [m], cos(yaw), sin(yaw) of each object.
    """

    objects: Annotated[int, Field(ge=0)]
    max_age_s: Positive
    kind: Literal['state'] = 'state'

    @property
    def width(self) -> int:
        """Numbers per time step."""
        return 2 + 4 * self.objects


@pydantic.dataclasses.dataclass(frozen=True)
class Contract:
    """What one policy tick sees and does.

    The observation at tick k stacks the newest samples at t_{k-1} and t_k (`history` of them); the
    action is setpoint(t_{k+1}) - setpoint(t_k).

    The action is the move of the *setpoint* in the plane of `link_base` [m], never of the measured
    arm (paper C.3.2).
    """

    name: str
    version: int
    period_s: Positive
    """Time between policy ticks [s]; 0.2 in the paper (5 Hz)."""
    history: Annotated[int, Field(ge=1)]
    """Samples per observation; 2 in the paper (D.5, sequence length)."""
    observation: ImageObservation | StateObservation
    max_delta_m: Positive
    """Largest move of the setpoint in one period, per axis [m]."""

    @property
    def hash(self) -> str:
        """Sixteen hexadecimal digits that change when any field changes."""
        text = json.dumps(dataclasses.asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def period_ns(self) -> int:
        """Time between policy ticks [ns]."""
        return round(self.period_s * 1e9)

    @property
    def observation_shape(self) -> tuple[int, ...]:
        """(history, height, width, 3) uint8 for images, (history, width) float32 for states."""
        match self.observation:
            case ImageObservation(width_px=width, height_px=height):
                return (self.history, height, width, 3)
            case StateObservation() as state:
                return (self.history, state.width)

    def require_same(self, other_hash: str, other: str, other_name: str) -> None:
        """Raise ContractMismatch unless `other_hash` is this contract's.

        Args:
            other_hash: Hash of the contract that was found.
            other: In what it was found, for the message.
            other_name: Name of that contract.
        """
        if other_hash != self.hash:
            raise ContractMismatch(
                f'{other} was made under contract {other_name} ({other_hash}), but this is '
                f'{self.name} ({self.hash}): use the matching contract or make it again'
            )

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for YAML or JSON; `from_dict` reads it back."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> 'Contract':
        """Build a contract from plain data; IbcError names the first field that is wrong."""
        try:
            return pydantic.TypeAdapter(cls).validate_python(dict(data))
        except pydantic.ValidationError as error:
            first = error.errors()[0]
            field = '.'.join(str(part) for part in first['loc'])
            raise IbcError(f'contract field {field!r}: {first["msg"]}') from None


@cache
def load_contract(name: str = 'planar_rgb') -> Contract:
    """Load one of the contracts that ship with this package; IbcError lists them otherwise."""
    folder = resources.files('ibc_contract') / 'contracts'
    known = sorted(
        f.name.removesuffix('.yaml') for f in folder.iterdir() if f.name.endswith('.yaml')
    )
    if name not in known:
        raise IbcError(f'unknown contract {name!r}; known: {", ".join(known)}')
    return Contract.from_dict(yaml.safe_load((folder / f'{name}.yaml').read_text()))
