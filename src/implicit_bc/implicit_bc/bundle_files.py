"""The papers of trained policies: found by name, read and written without PyTorch."""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from safetensors import SafetensorError, safe_open

from ibc_contract.contract import Contract
from ibc_contract.errors import IbcError
from implicit_bc.model_card import model_card

FORMAT = 2
DESCRIPTION = 'policy.yaml'
_ANEW = 'copy the model anew, or train it again'


def read_description(path: Path) -> dict[str, Any]:
    """Read `policy.yaml` of a bundle without loading the network."""
    file = path / DESCRIPTION
    try:
        description = yaml.safe_load(file.read_text())
    except FileNotFoundError:
        raise IbcError(f'{path}: no model here: {DESCRIPTION} is missing') from None
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise IbcError(f'{file}: cannot be read: {" ".join(str(error).split())}') from None
    fields = ('format', 'method', 'tasks', 'contract', 'contract_hash', 'network')
    fields += ('scaling', 'provenance')
    missing = [f for f in fields if not isinstance(description, dict) or f not in description]
    if missing:
        raise IbcError(f'{file}: not a model description: missing {", ".join(missing)}')
    if description['format'] != FORMAT:
        raise IbcError(f'{file}: format {description["format"]}, this version reads {FORMAT}')
    _check(file, description)
    return description


def check_weights(path: Path) -> None:
    """Raise IbcError where a file of weights is missing, cut short or not one at all.

    Reads headers only, and needs no PyTorch: for who starts something that will load the model.
    """
    index = path / 'policy.safetensors.index.json'
    names = {'policy.safetensors'}
    if index.exists():
        try:
            files = json.loads(index.read_text())['weight_map'].values()
            names = {Path(str(file)).name for file in files}
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            raise IbcError(f'{index}: damaged: {error}: {_ANEW}') from None
    for file in sorted(path / name for name in names):
        if not file.is_file():
            raise IbcError(f'{file}: is missing: {_ANEW}')
        try:
            with safe_open(file, 'numpy'):
                pass
        except (SafetensorError, OSError) as error:
            raise IbcError(f'{file}: damaged: {error}: {_ANEW}') from None


def add_result(path: Path, task: str, summary: Mapping[str, Any]) -> None:
    """Note the measured `summary` of an evaluation on `task` in a bundle and its model card."""
    description = read_description(path)
    description['results'] = {**(description.get('results') or {}), task: dict(summary)}
    write_description(path, bundle_name(path), description)


def model_roots() -> list[Path]:
    """Folders in which models are looked up by name, first one first."""
    roots = [Path(p) for p in os.environ.get('IBC_MODELS', '').split(os.pathsep) if p]
    roots.append(Path('models'))
    for prefix in (*os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep), sys.prefix):
        if prefix:
            roots.append(Path(prefix) / 'share' / 'ibc_models')
    # An editable installation: models/ of the source tree.
    roots.append(Path(__file__).resolve().parents[3] / 'models')
    return roots


def known_bundles() -> dict[str, Path]:
    """Name -> folder of every bundle below `model_roots`; earlier roots win."""
    found: dict[str, Path] = {}
    for root in model_roots():
        for file in sorted(root.glob(f'*/{DESCRIPTION}')):
            found.setdefault(file.parent.name, file.parent)
    return found


def find_bundle(name: str | Path) -> Path:
    """Return the folder of a bundle, given its path or its name; IbcError lists the known ones."""
    path = Path(name).expanduser()
    for candidate in (path, path / 'bundle'):  # a run directory holds its bundle in `bundle`
        if (candidate / DESCRIPTION).is_file():
            return candidate
    known = known_bundles()
    if str(name) in known:
        return known[str(name)]
    raise IbcError(
        f'unknown model {str(name)!r}; known: {", ".join(sorted(known)) or "none"}, '
        'or the path of a model folder'
    )


def write_description(folder: Path, name: str, description: Mapping[str, Any]) -> None:
    """Write `policy.yaml` and the model card of bundle `name`."""
    text = yaml.safe_dump(_plain(description), sort_keys=False, allow_unicode=True)
    (folder / DESCRIPTION).write_text(text)
    (folder / 'README.md').write_text(model_card(name, description))


def bundle_name(path: Path) -> str:
    """Name of the bundle in this folder; that of its run for a run's own bundle."""
    resolved = path.resolve()
    return resolved.parent.name if resolved.name == 'bundle' else resolved.name


def _check(file: Path, description: Mapping[str, Any]) -> None:
    """Raise IbcError where a field is not of the kind that everybody relies on."""
    tasks, results = description['tasks'], description.get('results') or {}
    contract = description['contract']
    method = description['method']
    steadiness = description.get('steadiness') or {}
    sound = {
        'method': isinstance(method, dict) and isinstance(method.get('kind'), str),
        'tasks': isinstance(tasks, list) and all(isinstance(task, str) for task in tasks),
        'contract': isinstance(contract, dict) and isinstance(contract.get('name'), str),
        'steadiness': isinstance(steadiness, dict),
        'results': isinstance(results, dict) and all(map(_is_result, results.values())),
    }
    for field, is_sound in sound.items():
        if not is_sound:
            raise IbcError(f'{file}: field {field!r} is not what a model description has there')
    try:
        Contract.from_dict(contract)
    except IbcError as error:
        raise IbcError(f'{file}: {error}') from None


def _is_result(result: Any) -> bool:
    if not isinstance(result, dict) or not isinstance(result.get('success_rate'), int | float):
        return False
    interval = result.get('wilson95')
    return isinstance(interval, list) and len(interval) == 2


def _plain(value: Any) -> Any:
    """Tuples as lists: YAML's safe subset has no tuples."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
