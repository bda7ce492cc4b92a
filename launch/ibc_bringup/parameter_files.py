"""The ROS parameter files of a deployment: found, read and checked before any node starts."""

import dataclasses
import importlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_type_hints

import pydantic

from ibc_contract import topics
from ibc_contract.errors import IbcError
from ibc_contract.parameter_sections import is_read_by, parameter_sections
from planar_arm.errors import BadFile
from planar_arm.strict_yaml import read_yaml


def config_files(site: str = '') -> dict[str, Path]:
    """Return the parameter files by name, without .yaml: those in folder `site` replace ours."""
    ours = {path.stem: path for path in config_path('driver.yaml').parent.glob('*.yaml')}
    if not site:
        return ours
    if not Path(site).is_dir():
        raise IbcError(f'config_dir:={site}: there is no such folder')
    theirs = {path.stem: path.resolve() for path in Path(site).glob('*.yaml')}
    if unknown := sorted(theirs.keys() - ours.keys()):
        raise IbcError(
            f'config_dir:={site}: no node reads {unknown[0]}.yaml; '
            f'known: {", ".join(f"{name}.yaml" for name in sorted(ours))}'
        )
    return {**ours, **theirs}


def node_parameters(path: Path, node: str, namespace: str | None = None) -> dict[str, object]:
    """Return what a ROS parameter file sets for `node`.

    Args:
        path: The file.
        node: Name of the node.
        namespace: Where the node is; None: wherever the file has it.

    Raises:
        IbcError: The file cannot be read, or says nothing to this node.
    """
    try:
        sections = parameter_sections(read_yaml(path))
    except (BadFile, ValueError) as error:
        raise IbcError(f'{path} is no ROS parameter file: {" ".join(str(error).split())}') from None
    me = f'/{namespace or ""}/{node}'.replace('//', '/')
    wanted = [name for name in sections if is_read_by(name, me)]
    if namespace is None:
        wanted += [name for name in sections if name != me and name.endswith(f'/{node}')]
    if not wanted:
        raise IbcError(f'{path}: says nothing to {me}, only to {", ".join(sections)}')
    return {key: value for name in wanted for key, value in sections[name].items()}


def check_parameters(
    path: Path, node: str, config_types: Sequence[str], namespace: str | None = None
) -> None:
    """Check what a ROS parameter file sets for `node`: ROS ignores a name that is misspelt.

    Args:
        path: The file.
        node: Name of the node.
        namespace: As for `node_parameters`.
        config_types: `module:Class` of the pydantic dataclasses that declare its parameters.

    Raises:
        IbcError: The file cannot be read; a parameter is unknown, or its value not allowed.
    """
    known = _annotations(config_types)
    for name, value in node_parameters(path, node, namespace).items():
        if name in topics.PARAMETERS_OF_EVERY_NODE:
            continue
        if name not in known:
            raise IbcError(f'{path}: {node} has no parameter {name!r}; known: {", ".join(known)}')
        try:
            # As JSON, where a list may be a tuple; strictly, for ROS converts no text to a number.
            text = json.dumps(value, default=str)
            pydantic.TypeAdapter(known[name]).validate_json(text, strict=True)
        except pydantic.ValidationError as error:
            reason = error.errors()[0]['msg']
            raise IbcError(f'{path}: {node}: {name} is {value!r}: {reason}') from None


def _annotations(config_types: Sequence[str]) -> dict[str, Any]:
    """Parameter -> type with its limits."""
    found: dict[str, Any] = {}
    for path in config_types:
        module, _, name = path.partition(':')
        config = getattr(importlib.import_module(module), name)
        hints = get_type_hints(config, include_extras=True)
        found |= {field.name: hints[field.name] for field in dataclasses.fields(config)}
    return found


def config_path(name: str) -> Path:
    """Find a file of `config/`: in the source tree, or under `share/` of an installation."""
    for parent in Path(__file__).resolve().parents:
        for folder in (parent / 'config', parent / 'share' / 'ibc_bringup' / 'config'):
            if (folder / name).is_file():
                return folder / name
    raise IbcError(f'ibc_bringup is not installed completely: config/{name} is missing')
