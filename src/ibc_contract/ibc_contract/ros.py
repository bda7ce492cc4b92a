"""The rclpy half of the contract: QoS, parameters from dataclasses, stamps, diagnostics."""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pydantic
import yaml
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.exceptions import ParameterException
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy

from ibc_contract import topics
from ibc_contract.config_fields import ConfigField, config_fields
from ibc_contract.errors import IbcError
from ibc_contract.parameter_sections import is_read_by, parameter_sections

ConfigT = TypeVar('ConfigT')

ACQUAINTANCE_S = 2.0
"""Time to leave between seeing a service appear and calling it [s]. Who sees a server is not yet
seen by it, and Fast DDS drops the answer to a client that stays unknown for 0.1 s."""


def newest(depth: int = 1) -> QoSProfile:
    """Keep the last `depth` samples, reliably: best effort loses large frames."""
    return QoSProfile(
        reliability=ReliabilityPolicy.RELIABLE,
        history=HistoryPolicy.KEEP_LAST,
        depth=depth,
    )


def latched(depth: int = 1) -> QoSProfile:
    """Reliable and transient local: late subscribers get the last sample.

    A subscriber that must not miss one between two looks keeps `depth` of them.
    """
    return QoSProfile(
        reliability=ReliabilityPolicy.RELIABLE,
        durability=DurabilityPolicy.TRANSIENT_LOCAL,
        history=HistoryPolicy.KEEP_LAST,
        depth=depth,
    )


def declare_config(node: Node, config_type: type[ConfigT], *, read_only: bool = True) -> ConfigT:
    """Declare one ROS parameter per field of a pydantic dataclass and return it, filled.

    Field descriptions become parameter descriptions; `ge` and `le` become ranges. Fields without a
    default are required. Parameters that are not `read_only` may be set while the node runs, to
    what the dataclass takes; use `read_config` for their current values.

    Raises:
        IbcError: A value is missing or out of range; the message names parameter and remedy.
    """
    for field in config_fields(config_type):
        default = None if field.is_required else field.default
        descriptor = _descriptor(field)
        descriptor.read_only = read_only
        # Without a default there is no type yet; `rate:=25` is an integer but means 25.0.
        descriptor.dynamic_typing = default is None or field.kind is float
        try:
            node.declare_parameter(field.name, default, descriptor)
        except ParameterException as error:
            raise _refusal(node, field.name, ' '.join(str(error).split())) from None
    config = read_config(node, config_type)
    if not read_only:
        node.add_on_set_parameters_callback(lambda asked: _judge(node, config_type, asked))
    return config


def _judge(node: Node, config_type: type, asked: list[Parameter]) -> SetParametersResult:
    """Say whether parameters of `config_type` may take the values that somebody asks for."""
    known = {field.name for field in dataclasses.fields(config_type)}
    values = {parameter.name: parameter.value for parameter in asked if parameter.name in known}
    try:
        _parse(node, config_type, values)
    except IbcError as error:
        return SetParametersResult(successful=False, reason=str(error))
    return SetParametersResult(successful=True)


def read_config(node: Node, config_type: type[ConfigT]) -> ConfigT:
    """Return the current values of the parameters that `declare_config` declared.

    Raises:
        IbcError: A value is missing or out of range; the message names parameter and remedy.
    """
    return _parse(node, config_type, {})


def _parse(node: Node, config_type: type[ConfigT], instead: Mapping[str, object]) -> ConfigT:
    """Read the current values, those in `instead` replaced."""
    names = [field.name for field in dataclasses.fields(config_type)]  # type: ignore[arg-type]
    given = {name: node.get_parameter(name).value for name in names} | dict(instead)
    values = {name: value for name, value in given.items() if value is not None}
    try:
        return pydantic.TypeAdapter(config_type).validate_python(values)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        name = '.'.join(str(part) for part in first['loc'])
        raise _refusal(node, name, first['msg']) from None


def refuse_unknown_parameters(node: Node, args: Sequence[str]) -> None:
    """Check what a file or the command line sets: rclpy ignores a name that is misspelt.

    Call it once the node has declared all of its parameters.

    Args:
        node: The node.
        args: The words that it was started with.

    Raises:
        IbcError: The node has no such parameter; the message lists those that it has. Or one of
            the files that it was started with says nothing to it.
    """
    me = node.get_fully_qualified_name()
    for word, path in itertools.pairwise(args):
        if word != '--params-file':
            continue
        sections = parameter_sections(yaml.safe_load(Path(path).read_text()))
        if not any(is_read_by(section, me) for section in sections):
            said = ', '.join(sections)
            raise IbcError(f'{path} says nothing to {me}, only to {said}; call it so, or /**')
    for name in node._parameter_overrides:  # rclpy tells them nowhere else
        if not node.has_parameter(name):
            known = node.get_parameters_by_prefix('').keys() - topics.PARAMETERS_OF_EVERY_NODE
            raise IbcError(
                f'{node.get_name()} has no parameter {name!r}; known: {", ".join(sorted(known))}'
            )


def _refusal(node: Node, name: str, reason: str) -> IbcError:
    return IbcError(
        f'{node.get_name()}: parameter {name!r}: {reason}; '
        f'set it with -p {name}:=VALUE or in a parameter file'
    )


def _descriptor(field: ConfigField) -> ParameterDescriptor:
    descriptor = ParameterDescriptor(description=field.description)
    if field.low is None or field.high is None:
        return descriptor
    if field.kind is float:
        span = FloatingPointRange(from_value=float(field.low), to_value=float(field.high))
        descriptor.floating_point_range = [span]
    elif field.kind is int:
        span = IntegerRange(from_value=int(field.low), to_value=int(field.high), step=1)
        descriptor.integer_range = [span]
    return descriptor


def status_name(node: Node, component: str, name: str = '') -> str:
    """Return what a status on `/diagnostics` is called: `namespace/node: component`.

    It is that of `node` itself, or of the node `name` in its namespace. The topic is global, so
    that without the namespace two robots could not be told apart.
    """
    full = f'{node.get_namespace()}/{name or node.get_name()}'.lstrip('/')
    return f'{full}: {component}'


class Diagnostics:
    """Publishes one DiagnosticStatus of this node on `/diagnostics`, when asked."""

    def __init__(self, node: Node, component: str) -> None:
        """`component` says which part of the node speaks, as in `xarm_planar_driver: arm`."""
        self._node = node
        self._name = status_name(node, component)
        self._publisher = node.create_publisher(DiagnosticArray, topics.DIAGNOSTICS, 10)

    def publish(
        self, level: bytes, message: str, values: Mapping[str, object], hardware_id: str = ''
    ) -> None:
        """Send the current status; `level` is DiagnosticStatus.OK, WARN, ERROR or STALE."""
        array = DiagnosticArray()
        array.header.stamp = self._node.get_clock().now().to_msg()
        pairs = [KeyValue(key=key, value=str(value)) for key, value in values.items()]
        array.status = [
            DiagnosticStatus(
                level=level,
                name=self._name,
                message=message,
                hardware_id=hardware_id,
                values=pairs,
            )
        ]
        self._publisher.publish(array)


def to_ns(stamp: Any) -> int:
    """Nanoseconds of a builtin_interfaces Time."""
    return stamp.sec * 1_000_000_000 + stamp.nanosec
