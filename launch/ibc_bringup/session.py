"""Run a stack in the background to its planned end, its output in a log file."""

import contextlib
import re
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from ibc_bringup.ports import free_twin_ports
from ibc_bringup.stacks import find_stack
from ibc_bringup.up import process_group, ros_environment
from ibc_contract.errors import IbcError
from ibc_contract.private_domain import private_domain

LOGGED = re.compile(r'^\[[A-Z]+\] \[[\d.]+\] \[[\w.]+\]: ')
"""What ROS puts before a message."""


@contextlib.contextmanager
def private_environment() -> Iterator[dict[str, str]]:
    """Environment of a graph of its own, unless ROS_DOMAIN_ID was chosen by hand."""
    environment = ros_environment()
    if 'ROS_DOMAIN_ID' in environment:
        yield environment
        return
    with private_domain() as domain_id:
        yield {**environment, 'ROS_DOMAIN_ID': str(domain_id)}


def run_to_end(
    name: str, given: Mapping[str, str], log: Path, timeout_s: float, relay: str = ''
) -> None:
    """Run a stack with a twin of its own until the process that ends it is done.

    What the process `relay` logs also goes to stderr.

    Raises:
        IbcError: It failed, or took longer than `timeout_s` [s]; the message names the log. Or the
            log could not be written, which ends nothing.
    """
    stack = find_stack(name)
    values = stack.values({**free_twin_ports(), **given})
    log.parent.mkdir(parents=True, exist_ok=True)
    lock = threading.Lock()
    begin = time.monotonic()
    lost: list[OSError] = []
    with log.open('wb', buffering=0) as file:

        def keep(process: str, line: str) -> None:
            with lock:
                try:
                    file.write(f'{time.monotonic() - begin:7.2f} {process} | {line}\n'.encode())
                except OSError as error:  # as with a full disk: the nodes are read all the same
                    lost.append(error)
                if process == relay and (logged := LOGGED.match(line)):
                    sys.stderr.write(f'  {line[logged.end() :]}\n')

        with (
            private_environment() as environment,
            process_group(stack, values, keep, environment) as group,
        ):
            ended = group.wait(timeout_s)
    if ended is None:
        raise IbcError(f'{name} was not done after {timeout_s:.0f} s: see {log}')
    if ended.failed:
        raise IbcError(f'{name}: {ended.summary()} (see {log})')
    if lost:
        raise IbcError(f'{log}: {lost[0].strerror}')
