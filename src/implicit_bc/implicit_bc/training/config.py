"""What a training run is made of, as data: presets ship as YAML beside this package."""

import dataclasses
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic
import yaml
from pydantic import ConfigDict, Field

from ibc_contract.errors import IbcError
from implicit_bc.methods import DerivativeFree, Method
from implicit_bc.networks.energy import NetworkConfig
from implicit_bc.precision import Precision
from implicit_bc.preset_files import paper_preset_names, preset_names, preset_text
from implicit_bc.scaling import NormalizationConfig


@pydantic.dataclasses.dataclass(frozen=True, config=ConfigDict(extra='forbid'))
class LearningRate:
    """Exponential decay at every step: rate(t) = initial * decay ** (t / decay_steps)."""

    initial: Annotated[float, Field(gt=0)] = 1e-3
    decay: Annotated[float, Field(gt=0, le=1)] = 0.99
    decay_steps: Annotated[float, Field(gt=0)] = 100
    final_fraction: Annotated[float, Field(gt=0, le=1)] | None = None
    """When set, replaces `decay`: the rate ends at this fraction of `initial`, however long the
    run. The paper's 0.99 per 100 steps suits 100 000 steps (4e-5 of the first rate)."""

    def at(self, step: int, progress: float) -> float:
        """Rate at `step`, with `progress` in [0, 1] of the run done."""
        if self.final_fraction is not None:
            return self.initial * self.final_fraction**progress
        return self.initial * self.decay ** (step / self.decay_steps)


@pydantic.dataclasses.dataclass(frozen=True, config=ConfigDict(extra='forbid'))
class TrainConfig:
    """One training run; the field order is that of the paper's tables in D."""

    contract: str = 'planar_rgb'
    """Name of a contract that ships with ibc_contract."""
    latency_s: Annotated[float, Field(gt=0, le=0.5)] | None = None
    """When set, steps made of bags pair what is seen at a tick with the move that begins this
    much later [s], as live: decision and way to the driver (`episode_arrays.read_steps`)."""
    method: Method = DerivativeFree()
    steps: Annotated[int, Field(ge=1)] = 100_000
    batch_size: Annotated[int, Field(ge=1)] = 128
    learning_rate: LearningRate = LearningRate()
    adam_epsilon: Annotated[float, Field(gt=0)] = 1e-7
    """1e-7 in the released code (Keras), 1e-8 in PyTorch."""
    average_decay: Annotated[float, Field(gt=0, lt=1)] | None = None
    """When set, an exponential moving average of the weights is what is validated and kept: it
    damps the swings of success from checkpoint to checkpoint that behavioral cloning is known for
    (Block et al. 2023, arXiv 2310.11428)."""
    network: NetworkConfig = NetworkConfig()
    initial_model: str | None = None
    """Name or folder of a bundle to begin with, in place of random weights (fine-tuning). Its
    network, kind of method and normalizers stay; the action box is measured anew."""
    normalization: NormalizationConfig = NormalizationConfig()
    random_shift_px: Annotated[int, Field(ge=0, le=16)] = 0
    """Shift all frames of an observation together by up to this many pixels, repeating the edge.
    Moves of the setpoint are relative, so they stay right up to perspective."""
    holdout: Annotated[float, Field(ge=0, lt=1)] = 0.05
    """Fraction of the episodes kept for validation."""
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0
    log_every: Annotated[int, Field(ge=1)] = 50
    validate_every: Annotated[int, Field(ge=1)] = 1000
    checkpoint_every: Annotated[int, Field(ge=1)] = 1000
    keep_checkpoints: Annotated[int, Field(ge=2)] = 2
    """The newest ones; where one is damaged, a run goes on from the one before."""
    time_limit_s: Annotated[float, Field(gt=0)] | None = None
    """End the run after this long [s]; the decay follows whichever of steps and time is ahead."""
    precision: Precision = 'auto'
    """Of products while training: with 'auto', convolutions take bfloat16 where the hardware
    multiplies it, and dense layers TF32 on a GPU; see `implicit_bc.precision`."""
    micro_batch: Annotated[int, Field(ge=1)] | None = None
    """Observations whose gradient is taken at a time: bounds the memory, and is faster where it
    fits a core's cache. None takes what does, and on a GPU the whole batch. A step is the same up
    to rounding and to what the loss draws."""
    threads: Annotated[int, Field(ge=1)] | None = None
    """CPU threads of PyTorch; its own choice by default."""
    device: Literal['auto', 'cpu', 'cuda'] = 'auto'

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for YAML or JSON."""
        return dataclasses.asdict(self)


def load_config(source: str | Path, overrides: Mapping[str, Any] | None = None) -> TrainConfig:
    """Load a preset by name, or a YAML file by path, and replace single fields.

    Args:
        source: Name of a preset or path of a file.
        overrides: Dotted field names to values, such as `{'learning_rate.initial': 3e-4}`. Another
            `method.kind` than the preset's begins with its own defaults: the constants of one
            method mean nothing, or something else, to another.

    Raises:
        IbcError: Unknown preset (the known ones are listed), a file that cannot be read, or a field
            that is wrong.
    """
    return config_from_dict(with_overrides(_read(source), overrides or {}, source), str(source))


def with_overrides(
    data: Mapping[str, Any], overrides: Mapping[str, Any], source: str | Path
) -> dict[str, Any]:
    """Return the plain `data` of a configuration with other values in single fields.

    Arguments and errors are those of `load_config`.
    """
    fields: dict[str, Any] = _copied(data)
    kind, method = overrides.get('method.kind'), fields.get('method', {})
    if kind and isinstance(method, dict) and kind != method.get('kind', 'derivative_free'):
        fields['method'] = {}
    for dotted, value in overrides.items():
        try:
            _put(fields, dotted.split('.'), value)
        except TypeError:
            raise IbcError(f'{source}: there is no training field {dotted!r}') from None
    return fields


def is_preset_file(source: str | Path) -> bool:
    """Tell whether `source` is the path of a YAML file, not the name of a preset."""
    path = Path(source)
    return path.suffix in ('.yaml', '.yml') and path.is_file()


def preset_fields(
    read: Callable[[], str], source: str | Path, what: str = 'a training preset'
) -> dict[str, Any]:
    """Fields of a preset as plain data.

    Args:
        read: Returns its YAML.
        source: What errors call it.
        what: What it is meant to be.

    Raises:
        IbcError: It cannot be read, or is no YAML of named fields.
    """
    try:
        data = yaml.safe_load(read())
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise IbcError(f'{source}: cannot be read: {" ".join(str(error).split())}') from None
    if data is None:
        return {}
    if not isinstance(data, dict) or not all(isinstance(name, str) for name in data):
        raise IbcError(f'{source}: is not {what}: lines like `steps: 1000` are expected')
    return data


def _read(source: str | Path) -> dict[str, Any]:
    if is_preset_file(source):
        return preset_fields(Path(source).read_text, source)
    known = (*preset_names(), *paper_preset_names())
    if str(source) not in known:
        raise IbcError(
            f'unknown training preset {str(source)!r}; known: {", ".join(known)}, or the path of a '
            'YAML file'
        )
    return preset_fields(partial(preset_text, str(source)), source)


def config_from_dict(data: Mapping[str, Any], source: str) -> TrainConfig:
    """Validate plain data; IbcError names `source` and the first field that is wrong."""
    method = data.get('method', {})
    if not isinstance(method, Mapping):
        raise IbcError(
            f"{source}: training field 'method' holds constants, not {method!r}: to choose a "
            'method, give method.kind'
        )
    try:
        return pydantic.TypeAdapter(TrainConfig).validate_python(dict(data))
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        field = '.'.join(str(part) for part in first['loc'])
        raise IbcError(f'{source}: training field {field!r}: {first["msg"]}') from None


def _copied(data: Any) -> Any:
    """Copy nested fields; YAML's aliases are then no longer one and the same, to be put into."""
    return {k: _copied(v) for k, v in data.items()} if isinstance(data, dict) else data


def _put(data: dict[str, Any], path: list[str], value: Any) -> None:
    for part in path[:-1]:
        data = data.setdefault(part, {})
        if not isinstance(data, dict):
            raise TypeError(f'{part} holds no fields')
    data[path[-1]] = value
