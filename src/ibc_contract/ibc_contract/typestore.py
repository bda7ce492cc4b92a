"""Messages without ROS: made, serialised and read as CDR by their type name.

The types are those of ROS 2 Jazzy as `rosbags` knows them, so bags are written and read on machines
where no ROS is installed. Objects made here have the same field names as rclpy's.
"""

from collections.abc import Callable
from functools import cache
from struct import error as StructError
from typing import Any

import numpy as np
from rosbags.interfaces import Nodetype
from rosbags.serde.errors import SerdeError
from rosbags.typesys import Stores, get_typestore
from rosbags.typesys.store import Typestore

Convert = Callable[[Any], Any]


@cache
def _store() -> Typestore:
    return get_typestore(Stores.ROS2_JAZZY)


def make(msg_type: str, **fields: Any) -> Any:
    """Make one message; nested messages may be given as dicts, missing fields are zero or empty.

    Args:
        msg_type: Full name such as `geometry_msgs/msg/PoseStamped`.
        fields: Values by field name; numeric arrays may be anything that numpy takes.

    Raises:
        TypeError: A field does not exist in the type.
    """
    plan = _plan(msg_type)
    unknown = fields.keys() - plan.keys()
    if unknown:
        raise TypeError(f'{msg_type} has no field {sorted(unknown)}; it has {sorted(plan)}')
    values = {
        name: convert(fields[name]) if name in fields else default()
        for name, (convert, default) in plan.items()
    }
    return _store().types[msg_type](**values)


def serialize(msg_type: str, **fields: Any) -> bytes:
    """Make one message as `make` does and return its CDR bytes."""
    return bytes(_store().serialize_cdr(make(msg_type, **fields), msg_type))


def to_cdr(message: Any) -> bytes:
    """Return the CDR bytes of a message made by `make` or read by `deserialize`."""
    return bytes(_store().serialize_cdr(message, message.__msgtype__))


def deserialize(msg_type: str, data: bytes) -> Any:
    """Read one message from CDR bytes.

    Bytes after the message are ignored: some middlewares and rclpy's own `serialize_message` leave
    padding there.

    Raises:
        ValueError: The bytes are not such a message.
    """
    if len(data) < 4 or data[0] != 0 or data[1] > 1:
        raise ValueError(f'{len(data)} bytes without a CDR header are no {msg_type}')
    plan = _store().get_msgdef(msg_type)
    read = plan.deserialize_cdr_le if data[1] else plan.deserialize_cdr_be
    try:
        message, _ = read(memoryview(data)[4:], 0, plan.cls, _store())
    except (StructError, SerdeError, ValueError, IndexError, AssertionError) as error:
        raise ValueError(f'{len(data)} bytes are no {msg_type}: {error}') from None
    return message


@cache
def definition(msg_type: str) -> tuple[str, str]:
    """Return the `ros2msg` text with all nested types, and the RIHS01 type hash."""
    text, _ = _store().generate_msgdef(msg_type, ros_version=2)
    return text, _store().hash_rihs01(msg_type)


@cache
def _plan(msg_type: str) -> dict[str, tuple[Convert, Callable[[], Any]]]:
    """How to convert a given value and how to make a missing one, for each field of a type."""
    return {name: _field_plan(node) for name, node in _store().fielddefs[msg_type][1]}


def _field_plan(node: Any) -> tuple[Convert, Callable[[], Any]]:
    match node:
        case (Nodetype.BASE, (base, _)):
            zero = '' if base == 'string' else False if base == 'bool' else 0
            return (lambda value: value), (lambda: zero)
        case (Nodetype.NAME, str(nested)):
            return (lambda value: _nested(nested, value)), (lambda: make(nested))
        case (Nodetype.ARRAY | Nodetype.SEQUENCE, ((Nodetype.BASE, (base, _)), length)):
            count = length if node[0] == Nodetype.ARRAY else 0
            if base == 'string':
                return list, (lambda: [''] * count)
            dtype = np.dtype('uint8' if base in ('octet', 'byte', 'char') else base)
            return (lambda value: _array(value, dtype)), (lambda: np.zeros(count, dtype))
        case (Nodetype.ARRAY | Nodetype.SEQUENCE, ((Nodetype.NAME, str(nested)), length)):
            count = length if node[0] == Nodetype.ARRAY else 0
            return (
                lambda values: [_nested(nested, value) for value in values],
                lambda: [make(nested) for _ in range(count)],
            )
    raise TypeError(f'message field of unknown kind: {node!r}')


def _array(value: Any, dtype: np.dtype[Any]) -> np.ndarray:
    if isinstance(value, bytes | bytearray | memoryview):
        return np.frombuffer(value, dtype)
    return np.ascontiguousarray(value, dtype)


def _nested(msg_type: str, value: Any) -> Any:
    return make(msg_type, **value) if isinstance(value, dict) else value
