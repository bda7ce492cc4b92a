# ROS's launch, not this folder:
# pyright: reportAttributeAccessIssue=false
"""A stack as a `LaunchDescription` for ROS's own launch."""

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from launch import LaunchContext, LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    OpaqueFunction,
    SetEnvironmentVariable,
    Shutdown,
)
from launch.events.process import ProcessExited
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from ibc_bringup.arguments import Argument, parse_assignments
from ibc_bringup.stack import NodeCall, Stack
from ibc_bringup.stacks import find_stack
from ibc_bringup.up import ros_environment
from ibc_contract.errors import IbcError

# On SIGTERM or SIGKILL launch leaves its nodes running. The kernel then interrupts them, as with
# `ibc up`: no arm moves unattended. A Ctrl-C waits until a node has imported what it needs, for
# Python would print a traceback. `launch-prefix:=` on the command line still works.
PREFIX = (
    'setpriv --pdeathsig INT env --block-signal=INT ',
    LaunchConfiguration('launch-prefix', default=''),
)


def launch_stack(name: str) -> LaunchDescription:
    """Describe a stack: its arguments, then its nodes once the arguments are known."""
    stack = find_stack(name)
    ours = ros_environment().items() - os.environ.items()
    return LaunchDescription(
        [
            *(_declare(argument) for argument in stack.arguments),
            *(SetEnvironmentVariable(*pair) for pair in sorted(ours)),
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
    values = stack.values({**_command_line(context, stack), **typed})
    calls = stack.calls(values)
    stack.check(values)
    later: dict[str, list[Node]] = {}
    for call in calls:
        if call.follows:
            later.setdefault(call.follows, []).append(_node(call))
    return [_node(call, later.get(call.process.name, ())) for call in calls if not call.follows]


def _command_line(context: LaunchContext, stack: Stack) -> dict[str, str]:
    """Return what was typed for this stack: launch itself ignores a name that is misspelt.

    Empty where another launch file includes the stack's, since those words are for that one.
    """
    if f'{stack.name}.launch.py' not in (Path(word).name for word in sys.argv):
        return {}
    pairs = parse_assignments(list(context.argv))
    return {name: text for name, text in pairs.items() if not name.startswith('launch-prefix')}


def _node(call: NodeCall, followers: Sequence[Node] = ()) -> Node:
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
        ros_arguments=['--enclave', call.enclave],
        output='screen',
        emulate_tty=True,
        exec_name=process.name,  # in the log, instead of the prefix's
        prefix=PREFIX,
        on_exit=end_of(call, followers),
    )


def end_of(
    call: NodeCall, followers: Sequence[Node] = ()
) -> Callable[[ProcessExited, LaunchContext], Shutdown | list[Node] | None]:
    """Make one node's end the end of the stack, or of their waiting, as with `ibc up`."""

    def end(event: ProcessExited, context: LaunchContext) -> Shutdown | list[Node] | None:
        if context.is_shutdown:
            return None
        if call.process.may_end and event.returncode == 0:
            return list(followers)
        if event.returncode != 0:  # launch's exit code is 0 unless something raises
            advice = f': {call.if_killed}' if event.returncode < 0 and call.if_killed else ''
            raise IbcError(f'{call.process.name} ended with code {event.returncode}{advice}')
        return Shutdown(reason=f'{call.process.name} ended')

    return end
