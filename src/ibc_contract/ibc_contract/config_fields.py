"""The fields of a pydantic dataclass, as parameters of a node: meaning, range, default."""

import dataclasses
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import annotated_types
from pydantic.fields import FieldInfo


@dataclasses.dataclass(frozen=True)
class ConfigField:
    """One parameter."""

    name: str
    kind: Any
    """Its type, without annotations."""
    description: str
    low: float | None
    high: float | None
    default: Any
    """`dataclasses.MISSING` if it has to be given."""

    @property
    def is_required(self) -> bool:
        """Whether it has to be given."""
        return self.default is dataclasses.MISSING


def config_fields(config_type: type) -> list[ConfigField]:
    """Return the fields of a pydantic dataclass, in their order."""
    hints = get_type_hints(config_type, include_extras=True)
    return [_field(hints[field.name], field) for field in dataclasses.fields(config_type)]


def _field(hint: Any, field: dataclasses.Field[Any]) -> ConfigField:
    kind, *extras = get_args(hint) if get_origin(hint) is Annotated else (hint,)
    info = next((extra for extra in extras if isinstance(extra, FieldInfo)), None)
    default = field.default
    if isinstance(default, FieldInfo):
        info, default = default, default.default
    rules = info.metadata if info else []
    low = next((rule.ge for rule in rules if isinstance(rule, annotated_types.Ge)), None)
    high = next((rule.le for rule in rules if isinstance(rule, annotated_types.Le)), None)
    description = (info.description or '') if info else ''
    return ConfigField(field.name, kind, description, low, high, default)  # type: ignore[arg-type]
