"""`ibc up`: start a stack of nodes."""

import argparse
import sys
from typing import Any

from ibc_bringup.arguments import parse_assignments
from ibc_bringup.stack import Stack


def add_parser(subparsers: Any) -> None:
    """Add the command to `subparsers`."""
    parser = subparsers.add_parser(
        'up',
        help='start a stack of ROS nodes (what `ros2 launch ibc_bringup STACK.launch.py` starts)',
        description='Start a stack of ROS nodes, one process each; Ctrl-C stops them all.',
    )
    parser.add_argument('stack', nargs='?', help='which stack; without it: list them')
    parser.add_argument('assignments', nargs='*', metavar='name:=value', help='its arguments')
    parser.add_argument(
        '--show-args', action='store_true', help='list the arguments of the stack and exit'
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """List the stacks, show the arguments of one, or run it until it ends."""
    from ibc_bringup.stacks import STACKS, find_stack
    from ibc_bringup.up import run_stack

    if arguments.stack is None:
        for stack in STACKS.values():
            sys.stdout.write(f'{stack.name:<16}{stack.help}\n')
        return 0
    stack = find_stack(arguments.stack)
    if arguments.show_args:
        sys.stdout.write(describe(stack))
        return 0
    return run_stack(stack, stack.values(parse_assignments(arguments.assignments)))


def describe(stack: Stack) -> str:
    """Write one line per argument: form, help, choices."""
    lines = [f'{stack.name}: {stack.help}']
    for argument in stack.arguments:
        form = f'{argument.name}:={argument.default_text or argument.kind.__name__.upper()}'
        choices = f' ({", ".join(argument.choices())})' if argument.choices else ''
        required = ' (required)' if argument.required else ''
        lines.append(f'  {form:<24}{argument.help}{choices}{required}')
    return '\n'.join(lines) + '\n'
