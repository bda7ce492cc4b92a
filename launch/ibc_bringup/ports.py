"""Loopback ports that nobody uses, so that two twins can run on one machine."""

import contextlib
import random
import socket
from collections.abc import Sequence

from ibc_contract.errors import IbcError

LOWEST, HIGHEST = 15_000, 32_000
"""Below Linux's ephemeral range, from which the kernel takes ports for other purposes."""
ATTEMPTS = 200


def is_free(port: int) -> bool:
    """Tell whether a server could listen on this loopback port now."""
    with contextlib.closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(('127.0.0.1', port))
        except OSError:
            return False
    return True


def twin_ports(control: int, report: int, scene: int, fault: int) -> Sequence[int]:
    """List the ports of a twin: control, four reports from their base on, scene, faults."""
    return (control, *range(report, report + 4), scene, fault)


def free_twin_ports() -> dict[str, str]:
    """Find ports for one more twin, as arguments of a stack."""
    chooser = random.SystemRandom()
    for _ in range(ATTEMPTS):
        base = chooser.randrange(LOWEST, HIGHEST, 10)
        if all(map(is_free, twin_ports(base, base + 1, base + 5, base + 6))):
            return {
                'control_port': str(base),
                'report_port_base': str(base + 1),
                'scene_port': str(base + 5),
                'fault_port': str(base + 6),
            }
    raise IbcError(f'no seven free ports in a row between {LOWEST} and {HIGHEST} on 127.0.0.1')
