"""What `--help` of a node says. Knows no ROS."""

import sys
from collections.abc import Sequence
from pathlib import Path

from ibc_contract.config_fields import ConfigField, config_fields

ROS_ARGUMENTS = '[--ros-args [-p NAME:=VALUE ...] [--params-file FILE] [-r __ns:=/NAME]]'


def node_help(config_types: Sequence[type]) -> str:
    """Describe the parameters that these pydantic dataclasses declare, one a line."""
    fields = [field for config_type in config_types for field in config_fields(config_type)]
    width = max((len(field.name) for field in fields), default=0)
    listed = [f'  {field.name:<{width}}  {_described(field)}' for field in fields]
    return '\n'.join([f'usage: {_program()} {ROS_ARGUMENTS}', '', 'parameters:', *listed, ''])


def unknown_word(word: str) -> str:
    """Say in one line that a node does not take this word."""
    return (
        f'unknown argument {word!r}: parameters are given as --ros-args -p NAME:=VALUE; '
        '--help lists them'
    )


def _program() -> str:
    started = Path(sys.argv[0])
    is_module = started.suffix == '.py'
    return f'python -m {started.parent.name}.{started.stem}' if is_module else started.name


def _described(field: ConfigField) -> str:
    has_span = field.low is not None and field.high is not None
    facts = [f'{field.low:g} to {field.high:g}'] if has_span else []
    facts.append('required' if field.is_required else f'default {_word(field.default)}')
    return f'{field.description} ({", ".join(facts)})'.strip()


def _word(default: object) -> str:
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, tuple):
        return ' '.join(map(str, default)) or 'none'
    return repr(str(default)) if isinstance(default, str) else str(default)
