"""`ibc twin`: an emulated xArm6 for any program that talks to one, and faults to try it with."""

import argparse
import json
import signal
import sys
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ibc_bringup.looked_up import task_names
from ibc_bringup.options import OneOf, number, whole
from ibc_contract.ending_signals import heeded_signals

if TYPE_CHECKING:
    from xarm_twin.standalone import StandaloneTwin

FAULT_PORT = 15700
ALIVE_CHECK = 1.0
"""How often it looks whether the physics still runs [s]."""


def fault_names() -> Sequence[str]:
    """Names of the faults that the emulated controller knows."""
    from xarm_twin.controller.faults import FAULTS

    return tuple(FAULTS)


def add_parser(subparsers: Any) -> None:
    """Add the command to `subparsers`."""
    parser = subparsers.add_parser(
        'twin',
        help='serve an emulated xArm6, inject faults, look at its state',
        description=__doc__,
    )
    actions = parser.add_subparsers(title='actions', metavar='ACTION', required=True)
    _add_serve(actions)
    _add_fault(actions)
    _add_guide(actions)
    _add_state(actions)


def _add_serve(actions: Any) -> None:
    parser = actions.add_parser(
        'serve',
        help='emulate an xArm6 controller in real time until Ctrl-C',
        description='Emulate an xArm6 controller in real time until Ctrl-C. The vendor SDK and '
        'whatever builds on it work against it unmodified: position, servo, velocity and online '
        'modes, reports, errors. What it cannot tell is in docs/reliability.md.',
    )
    parser.add_argument(
        '--host',
        default='127.0.0.1',
        help='address for arm clients (%(default)s); any other lets the network command it',
    )
    parser.add_argument(
        '--port',
        type=whole(0, 65535),
        metavar='N',
        help="control port (the vendor's 502 where allowed, else 15502; 0: any free)",
    )
    parser.add_argument(
        '--reports',
        type=whole(0, 65532),
        default=30000,
        metavar='N',
        help='developer reports; normal, rich and real ones on the next three (%(default)s, the '
        "vendor's; 0: any free)",
    )
    _add_fault_port(parser, 'port for `ibc twin fault` and `state`, on 127.0.0.1 (%(default)s)')
    parser.add_argument(
        '--task',
        action=OneOf,
        names=task_names,
        help='put the arm at this task, with physics; without it, it moves alone',
    )
    parser.add_argument(
        '--seed', type=whole(0), default=0, metavar='N', help="seed of the task's layout (0)"
    )
    parser.add_argument(
        '--scene',
        type=whole(0, 65535),
        default=15600,
        metavar='N',
        help="port that tells a task's scene to the camera node (%(default)s; 0: any free)",
    )
    parser.add_argument('--json', action='store_true', help='print the ports as one JSON object')
    parser.set_defaults(run=serve)


def _add_fault(actions: Any) -> None:
    parser = actions.add_parser(
        'fault',
        help='let something go wrong with a running twin',
        description='Let something go wrong with a running twin, of `ibc twin serve` or of a '
        'stack with sim:=true. Without a name: list what can go wrong.',
    )
    parser.add_argument('name', nargs='?', action=OneOf, names=fault_names, help='what goes wrong')
    parser.add_argument(
        'value', nargs='?', type=number(-1e6, 1e6), help='code of an error, delay of slow [s]'
    )
    parser.add_argument(
        '--seconds',
        type=number(0.001, 86400),
        metavar='S',
        help='how long it lasts [s], of what lasts (until `mend`)',
    )
    _add_fault_port(parser, 'fault port of the twin (%(default)s)')
    parser.add_argument('--json', action='store_true', help='print the state after it as JSON')
    parser.set_defaults(run=fault)


def _add_guide(actions: Any) -> None:
    parser = actions.add_parser(
        'guide',
        help='move a running twin by hand',
        description="Move the tool's end of a running twin, as a hand would, to a place in "
        'link_base with the tool pointing down. The arm must be in manual mode: ibc calibrate '
        'table --free sets it, and programs do with set_mode(2).',
    )
    for name in 'xyz':
        parser.add_argument(name, type=number(-1000, 1000), metavar=name.upper(), help='[mm]')
    _add_fault_port(parser, 'fault port of the twin (%(default)s)')
    parser.add_argument('--json', action='store_true', help='print the state after it as JSON')
    parser.set_defaults(run=guide)


def _add_state(actions: Any) -> None:
    parser = actions.add_parser(
        'state', help='say what a running twin does', description='Say what a running twin does.'
    )
    _add_fault_port(parser, 'fault port of the twin (%(default)s)')
    parser.add_argument('--json', action='store_true', help='print one JSON object')
    parser.set_defaults(run=state)


def _add_fault_port(parser: argparse.ArgumentParser, text: str) -> None:
    parser.add_argument(
        '--faults', type=whole(0, 65535), default=FAULT_PORT, metavar='N', help=text
    )


def serve(arguments: argparse.Namespace) -> int:
    """Serve an emulated arm until a signal."""
    from xarm_twin.standalone import StandaloneTwin, TwinPlan

    plan = TwinPlan(
        arguments.host,
        arguments.port,
        arguments.reports,
        arguments.faults,
        arguments.task,
        arguments.seed,
        arguments.scene,
    )
    stop = threading.Event()
    for name in heeded_signals():
        signal.signal(name, lambda *_: stop.set())
    with StandaloneTwin(plan) as twin:
        if arguments.json:
            where = {'host': arguments.host, 'ports': dict(twin.ports())}
            sys.stdout.write(json.dumps(where) + '\n')
        else:
            sys.stdout.write(_listing(twin))
        sys.stdout.flush()
        while not stop.wait(ALIVE_CHECK):
            if twin.failed:
                return 2  # its traceback is in the log
    return 0


def fault(arguments: argparse.Namespace) -> int:
    """Inject one fault, or list them."""
    from xarm_twin.controller.faults import FAULTS

    if arguments.name is None:
        for name, kind in FAULTS.items():
            form = f'{name} {kind.value.upper()}' if kind.value else name
            lasts = ' (--seconds)' if kind.lasts else ''
            sys.stdout.write(f'{form:<20}{kind.help}{lasts}\n')
        return 0
    request = {
        'do': 'inject',
        'fault': arguments.name,
        'value': arguments.value,
        'seconds': arguments.seconds,
    }
    _print_state(request, arguments)
    return 0


def guide(arguments: argparse.Namespace) -> int:
    """Move the arm by hand."""
    position_mm = [arguments.x, arguments.y, arguments.z]
    _print_state({'do': 'guide', 'position_mm': position_mm}, arguments)
    return 0


def state(arguments: argparse.Namespace) -> int:
    """Print the state."""
    _print_state({'do': 'state'}, arguments)
    return 0


def _print_state(request: dict[str, Any], arguments: argparse.Namespace) -> None:
    from xarm_twin.controller.fault_port import ask
    from xarm_twin.standalone import describe_state

    answer = ask(request, arguments.faults)
    text = json.dumps(answer) if arguments.json else describe_state(answer)
    sys.stdout.write(text + '\n')


def _listing(twin: 'StandaloneTwin') -> str:
    controller, ports = twin.controller, twin.ports()
    lines = [f'emulated xArm6, firmware {controller.state.identity.firmware}: Ctrl-C ends it']
    for name, port in ports.items():
        host = controller.host if name in ('control', *controller.report_ports) else '127.0.0.1'
        lines.append(f'  {name:<12}{host}:{port}')
    host = '127.0.0.1' if controller.host == '0.0.0.0' else controller.host
    if ports['control'] != 502:
        lines += [
            'its control port is not the usual one; with the Python SDK, before connecting:',
            '  from xarm.core.config.x_config import XCONF',
            f'  XCONF.SocketConf.TCP_CONTROL_PORT = {ports["control"]}',
        ]
    lines.append(f"connect with XArmAPI('{host}', forbid_uds=True)")
    return '\n'.join(lines) + '\n'
