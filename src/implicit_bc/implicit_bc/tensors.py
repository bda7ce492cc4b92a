"""Named tensors in safetensors files below 16 MB each, without pickle."""

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from ibc_contract.errors import IbcError
from implicit_bc.checksums import DamagedFile

SHARD_BYTES = 15_000_000
"""A shard with its header stays below 16 MB, which git hosting and reviews still handle well."""


def save_tensors(folder: Path, name: str, tensors: Mapping[str, Tensor]) -> list[str]:
    """Write `tensors` as `<name>.safetensors`, or as several files and an index.

    Returns:
        The names of the files, the index last.

    A tensor larger than one shard is cut along its first axis into `<key>#0`, `<key>#1`, ...
    """
    shards: list[dict[str, Tensor]] = [{}]
    room = SHARD_BYTES
    for key, tensor in sorted(_pieces(tensors).items()):
        if tensor.nbytes > room and shards[-1]:
            shards.append({})
            room = SHARD_BYTES
        shards[-1][key] = tensor
        room -= tensor.nbytes
    if len(shards) == 1:
        _write(folder / f'{name}.safetensors', shards[0])
        return [f'{name}.safetensors']
    files = [f'{name}-{i:05d}-of-{len(shards):05d}.safetensors' for i in range(1, len(shards) + 1)]
    for file, shard in zip(files, shards, strict=True):
        _write(folder / file, shard)
    where = {key: file for file, shard in zip(files, shards, strict=True) for key in shard}
    index = f'{name}.safetensors.index.json'
    (folder / index).write_text(json.dumps({'weight_map': where}, indent=1))
    return [*files, index]


def load_tensors(folder: Path, name: str) -> dict[str, Tensor]:
    """Read what `save_tensors` wrote; DamagedFile names the file that is missing or damaged."""
    index = folder / f'{name}.safetensors.index.json'
    pieces: dict[str, Tensor] = {}
    try:
        files = [f'{name}.safetensors']
        if index.exists():
            # Only file names count: an index must not reach outside its folder.
            names = json.loads(index.read_text())['weight_map'].values()
            files = sorted({Path(str(file)).name for file in names})
        for file in files:
            path = folder / file
            if not path.is_file():
                raise DamagedFile(f'{path}: is missing')
            pieces |= load_file(path)
    except (SafetensorError, OSError, ValueError, KeyError, AttributeError) as error:
        raise DamagedFile(f'{folder / name}.safetensors: damaged: {error}') from None
    return _joined(pieces)


def load_into(module: nn.Module, tensors: Mapping[str, Tensor], source: str) -> None:
    """Copy `tensors` into `module`.

    Raises:
        IbcError: Names what is missing, unknown or of another shape.
        DamagedFile: Names what is not finite.
    """
    expected = module.state_dict()
    missing = sorted(expected.keys() - tensors.keys())
    unknown = sorted(tensors.keys() - expected.keys())
    if missing or unknown:
        raise IbcError(
            f'{source} does not fit its network: missing tensors: {_listed(missing)}; '
            f'unknown tensors: {_listed(unknown)}'
        )
    for key, tensor in expected.items():
        if tensors[key].shape != tensor.shape:
            raise IbcError(
                f'{source} does not fit its network: {key} has shape {tuple(tensors[key].shape)}, '
                f'expected {tuple(tensor.shape)}'
            )
        if not torch.isfinite(tensors[key]).all():
            raise DamagedFile(f'{source}: {key} holds numbers that are not finite')
    module.load_state_dict(dict(tensors))


def _write(path: Path, shard: dict[str, Tensor]) -> None:
    # Not safetensors' own save_file: its files are readable by their owner alone, whatever the
    # umask says, and bundles are for others too.
    path.write_bytes(save(shard))


def _pieces(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    pieces: dict[str, Tensor] = {}
    for key, tensor in tensors.items():
        tensor = tensor.detach().cpu().contiguous()
        if tensor.nbytes <= SHARD_BYTES:
            pieces[key] = tensor
            continue
        rows = max(1, SHARD_BYTES // (tensor.nbytes // len(tensor)))
        for i, piece in enumerate(tensor.split(rows)):
            pieces[f'{key}#{i}'] = piece.clone()
    return pieces


def _joined(pieces: Mapping[str, Tensor]) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    cut: dict[str, dict[int, Tensor]] = {}
    for key, tensor in pieces.items():
        whole, mark, number = key.partition('#')
        if mark:
            cut.setdefault(whole, {})[int(number)] = tensor
        else:
            tensors[key] = tensor
    for key, parts in cut.items():
        tensors[key] = torch.cat([parts[i] for i in sorted(parts)])
    return tensors


def _listed(names: list[str]) -> str:
    shown = ', '.join(names[:6])
    return f'{shown} and {len(names) - 6} more' if len(names) > 6 else shown or 'none'
