"""YAML files that people write, read so that a slip is refused instead of taken for a value."""

import json
from collections import Counter
from collections.abc import Hashable
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, TypeVar

import pydantic
import yaml

from planar_arm.errors import BadFile

T = TypeVar('T')


class _StrictLoader(yaml.SafeLoader):
    """Refuses a key that stands there twice, of which YAML would take the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """As yaml.SafeLoader does."""
        keys = [key for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for key, times in Counter(key.value for key in keys).items():
            if times > 1:
                at = [each for each in keys if each.value == key][-1].start_mark
                raise yaml.constructor.ConstructorError(None, None, f'{key} is there twice', at)
        return super().construct_mapping(node, deep)


def read_yaml(path: str | Path | Traversable) -> Any:
    """Return what a file holds.

    Raises:
        BadFile: It cannot be read, is no YAML, or has a key twice; the message is the reason alone.
    """
    source = Path(path) if isinstance(path, str) else path
    try:
        return yaml.load(source.read_text(encoding='utf-8'), _StrictLoader)
    except OSError as error:
        raise BadFile(error.strerror or str(error)) from None
    except UnicodeError as error:
        raise BadFile(f'it is no UTF-8 text: {error}') from None
    except yaml.MarkedYAMLError as error:
        line = '' if error.problem_mark is None else f'line {error.problem_mark.line + 1}: '
        raise BadFile(_one_line(f'{line}{error.problem}')) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # such as a 13th month
        raise BadFile(_one_line(error)) from None


def load_yaml(path: str | Path | Traversable, kind: type[T]) -> T:
    """Return what a file holds as a `kind`, a pydantic dataclass; nothing is taken for a number.

    Raises:
        BadFile: As `read_yaml`; or a value is missing, unknown, of another type or out of range.
    """
    data = read_yaml(path)
    try:
        # As JSON, where a list may be a tuple.
        return pydantic.TypeAdapter(kind).validate_json(json.dumps(data, default=str), strict=True)
    except pydantic.ValidationError as error:
        raise BadFile(_first_fault(error)) from None
    except (TypeError, ValueError) as error:  # a key that is no word, a list that holds itself
        raise BadFile(_one_line(error)) from None


def _first_fault(error: pydantic.ValidationError) -> str:
    first = error.errors()[0]
    name = '.'.join(map(str, first['loc']))
    if not name:
        return f'it should say `name: value`, one a line ({first["msg"]})'
    value = first['input']
    is_short = isinstance(value, bool | int | float | str) and len(str(value)) < 40
    has_value = is_short and first['type'] != 'unexpected_keyword_argument'
    return _one_line(f'{name}{f" is {value!r}" if has_value else ""}: {first["msg"]}')


def _one_line(text: object) -> str:
    return ' '.join(str(text).split())
