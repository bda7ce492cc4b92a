"""ROS domains for graphs that belong to one process: a command that starts a twin, or a test."""

import contextlib
import itertools
import os
import socket
from collections.abc import Iterator

from ibc_contract.errors import IbcError

DOMAINS = range(50, 101)
"""Those below are left to people. Those above have ports that Linux hands out to anybody."""

# Nodes may linger for a moment in a domain that was given back: the next one asked for is another.
_turn = itertools.count(os.getpid())


@contextlib.contextmanager
def private_domain(among: range = DOMAINS) -> Iterator[int]:
    """Hold a domain of `among` that nobody else on this machine holds.

    It is held by the name of a socket, which the kernel frees when the process ends, however it
    does.

    Raises:
        IbcError: All are held by others.
    """
    for _ in among:
        domain_id = among[next(_turn) % len(among)]
        with socket.socket(socket.AF_UNIX) as held:
            try:
                held.bind(f'\0ibc domain {domain_id}')
            except OSError:
                continue
            yield domain_id
            return
    raise IbcError(
        f'every ROS domain from {among[0]} to {among[-1]} is held by another ibc command or test: '
        'wait for one to end, or choose one by hand: export ROS_DOMAIN_ID=7'
    )
