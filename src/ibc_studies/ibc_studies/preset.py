"""What a study trains and how it is judged, as YAML."""

from collections.abc import Mapping
from importlib import resources
from typing import Annotated, Any

import pydantic
import yaml
from pydantic import ConfigDict, Field

from ibc_contract.errors import IbcError
from implicit_bc.training.config import TrainConfig, config_from_dict, load_config


@pydantic.dataclasses.dataclass(frozen=True, config=ConfigDict(extra='forbid'))
class StudyPreset:
    """One size of a study."""

    demonstrations: Annotated[int, Field(ge=1)]
    """Episodes of the oracle to learn from."""
    history: Annotated[int, Field(ge=1)]
    """Samples in an observation, "sequence length"."""
    policies: Mapping[str, TrainConfig]
    """What is trained, by name; the first one is what the study is about."""


def study_presets(study: str) -> list[str]:
    """Names of the presets of a study."""
    folder = resources.files('ibc_studies') / 'presets'
    return sorted(
        f.name.removeprefix(f'{study}_').removesuffix('.yaml')
        for f in folder.iterdir()
        if f.name.startswith(f'{study}_')
    )


def load_preset(study: str, name: str) -> StudyPreset:
    """Load preset `name` of `study`.

    Raises:
        IbcError: There is none of this name (the known ones are listed).
    """
    known = study_presets(study)
    if name not in known:
        raise IbcError(f'study {study}: unknown preset {name!r}; known: {", ".join(known)}')
    file = resources.files('ibc_studies') / 'presets' / f'{study}_{name}.yaml'
    data: dict[str, Any] = yaml.safe_load(file.read_text())
    policies = {
        policy: load_config(given)
        if isinstance(given, str)  # the name of a training preset
        else config_from_dict(given, f'{study}_{name}.yaml, {policy}')
        for policy, given in data['policies'].items()
    }
    return StudyPreset(data['demonstrations'], data['history'], policies)
