"""A stack as a `LaunchDescription` for ROS's own launch."""

from typing import Any

from launch import LaunchContext, LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    OpaqueFunction,
    SetEnvironmentVariable,
    Shutdown,
)
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from ibc_bringup.arguments import Argument
from ibc_bringup.stack import NodeCall, Stack
from ibc_bringup.stacks import find_stack
from ibc_bringup.up import missing_settings


def launch_stack(name: str) -> LaunchDescription:
    """Describe a stack: its arguments, then its nodes once the arguments are known."""
    stack = find_stack(name)
    return LaunchDescription(
        [
            *(_declare(argument) for argument in stack.arguments),
            *(SetEnvironmentVariable(*pair) for pair in missing_settings().items()),
            OpaqueFunction(function=_nodes, args=[stack]),
        ]
    )


def _declare(argument: Argument) -> DeclareLaunchArgument:
    default = argument.default_text
    choices = {}
    if argument.choices:  # launch checks the default as well
        choices = {'choices': [*argument.choices(), *([] if default else [''])]}
    return DeclareLaunchArgument(
        argument.name, default_value=default, description=argument.help, **choices
    )


def _nodes(context: LaunchContext, stack: Stack) -> list[Any]:
    typed = {a.name: context.launch_configurations[a.name] for a in stack.arguments}
    return [_node(call) for call in stack.calls(stack.values(typed))]


def _node(call: NodeCall) -> Node:
    process = call.process
    files = [str(call.config_file)] if call.config_file else []
    values = {
        # Without the type, launch reads a text such as '502' as a number.
        name: ParameterValue(value, value_type=type(value))
        for name, value in call.parameters.items()
    }
    return Node(
        package=process.package,
        executable=process.executable,
        name=process.name,
        namespace=call.namespace,
        parameters=[*files, values],
        output='screen',
        emulate_tty=True,
        # One node's end is the end of the stack, as with `ibc up`.
        on_exit=Shutdown(reason=f'{process.name} ended'),
    )
