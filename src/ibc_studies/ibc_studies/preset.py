"""What a study trains and how it is judged, as YAML."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import pydantic
from pydantic import ConfigDict, Field

from ibc_contract.errors import IbcError
from ibc_studies.preset_files import study_preset_text, study_presets
from implicit_bc.training.config import (
    TrainConfig,
    config_from_dict,
    is_preset_file,
    load_config,
    preset_fields,
    with_overrides,
)

KIND = 'a preset of a study'


@pydantic.dataclasses.dataclass(frozen=True, config=ConfigDict(extra='forbid'))
class StudyPreset:
    """One size of a study."""

    demonstrations: Annotated[int, Field(ge=1)]
    """Episodes of the oracle to learn from."""
    history: Annotated[int, Field(ge=1)]
    """Samples in an observation, "sequence length"."""
    policies: Annotated[Mapping[str, TrainConfig], Field(min_length=1)]
    """What is trained, by name; the first one is what the study is about."""


def require_history(preset: StudyPreset, history: int, study: str) -> None:
    """Raise IbcError unless the observations of `preset` have the `history` samples of `study`."""
    if preset.history != history:
        raise IbcError(
            f'history: {preset.history}, but study {study} has observations of {history}: leave it '
            f'at {history}'
        )


def load_preset(
    study: str, source: str | Path, overrides: Mapping[str, Any] | None = None
) -> StudyPreset:
    """Load a preset of `study` by name, or a YAML file by path, and replace single fields.

    Args:
        study: Whose presets are meant.
        source: Name of a preset or path of a file.
        overrides: Dotted field names to values: `demonstrations`, or of one policy, as in
            `{'policies.langevin.steps': 2000}`. A whole policy is replaced, or added, by the name
            of a training preset.

    Raises:
        IbcError: Unknown preset (the known ones are listed), a file that cannot be read, or a field
            that is wrong.
    """
    data = _read(study, source)
    given = data.get('policies')
    if not isinstance(given, dict):
        raise IbcError(
            f'{source}: is not {KIND}: it has no `policies`, the name of each with '
            'its training fields, or with the name of a training preset'
        )
    policies: dict[str, Any] = dict(given)
    changed: dict[str, dict[str, Any]] = {}
    for dotted, value in (overrides or {}).items():
        first, _, field = dotted.partition('.')
        name, _, field = field.partition('.')
        if first != 'policies':
            data[dotted] = value
        elif not name:
            raise IbcError(f'{source}: which of the policies? such as policies.{next(iter(given))}')
        elif not field:
            policies[name] = value
        else:
            changed.setdefault(name, {})[field] = value
    if unknown := changed.keys() - policies.keys():
        raise IbcError(
            f'{source}: there is no policy {min(unknown)!r} to change, only {", ".join(policies)}'
        )
    data['policies'] = {
        str(name): _policy(policy, changed.get(name, {}), f'{source}, {name}')
        for name, policy in policies.items()
    }
    try:
        return pydantic.TypeAdapter(StudyPreset).validate_python(data)
    except pydantic.ValidationError as error:
        first_error = error.errors()[0]
        field = '.'.join(str(part) for part in first_error['loc'])
        raise IbcError(f'{source}: study field {field!r}: {first_error["msg"]}') from None


def _read(study: str, source: str | Path) -> dict[str, Any]:
    if is_preset_file(source):
        return preset_fields(Path(source).read_text, source, KIND)
    known = study_presets(study)
    if str(source) not in known:
        raise IbcError(
            f'study {study}: unknown preset {str(source)!r}; known: {", ".join(known)}, or the '
            'path of a YAML file'
        )
    return preset_fields(partial(study_preset_text, study, str(source)), source, KIND)


def _policy(given: Any, overrides: Mapping[str, Any], source: str) -> TrainConfig:
    if isinstance(given, str):  # the name of a training preset
        return load_config(given, overrides)
    if not isinstance(given, dict):
        raise IbcError(f'{source}: training fields or a training preset are expected, not {given}')
    return config_from_dict(with_overrides(given, overrides, source), source)
