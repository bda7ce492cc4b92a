"""What can be made to go wrong with the emulated controller, by name."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ibc_contract.errors import IbcError
from xarm_twin.controller.firmware import Fault
from xarm_twin.controller.server import EmulatedController

LONGEST_DELAY = 10.0
"""Of a slow reply [s]."""


class UnknownFault(IbcError):
    """There is no such fault, or it cannot be injected like this."""


@dataclass(frozen=True)
class FaultKind:
    """One thing that can go wrong."""

    help: str
    inject: Callable[[EmulatedController, float, float], None]
    """Takes the controller, the value (0 where there is none) and the seconds."""
    value: str = ''
    """What its value means; empty where it takes none."""
    lasts: bool = False
    """Whether it ends by itself after some seconds, if these are given."""
    lowest: float = 0.0
    highest: float = 0.0
    """Range of the value."""


FAULTS: Mapping[str, FaultKind] = {
    'error': FaultKind(
        'controller error: stop, state 4, mode 0',
        lambda c, value, _: c.state.fault(int(value)),
        'code',
        lowest=1,
        highest=255,
    ),
    'warning': FaultKind(
        'controller warning: the arm goes on',
        lambda c, value, _: c.state.warn(int(value)),
        'code',
        lowest=1,
        highest=255,
    ),
    'collision': FaultKind(
        'error 31, as if the arm had hit something',
        lambda c, *_: c.state.fault(Fault.COLLISION),
    ),
    'press-estop': FaultKind(
        'push the emergency stop button in', lambda c, *_: c.state.press_emergency_stop()
    ),
    'release-estop': FaultKind(
        'let the button out; error 1 stays until it is cleaned',
        lambda c, *_: c.state.release_emergency_stop(),
    ),
    'drop': FaultKind(
        'reset every connection; clients may connect again', lambda c, *_: c.drop_connections()
    ),
    'freeze': FaultKind(
        'nothing gets through, as with the cable pulled',
        lambda c, _, seconds: c.link.freeze(seconds),
        lasts=True,
    ),
    'mute': FaultKind(
        'replies are lost, requests take effect',
        lambda c, _, seconds: c.link.mute(seconds),
        lasts=True,
    ),
    'slow': FaultKind(
        'each reply comes later',
        lambda c, value, seconds: c.link.slow_down(value, seconds),
        'delay [s]',
        lasts=True,
        highest=LONGEST_DELAY,
    ),
    'freeze-reports': FaultKind(
        'no reports come, replies do',
        lambda c, _, seconds: c.link.freeze_reports(seconds),
        lasts=True,
    ),
    'mend': FaultKind('end freeze, mute, slow and freeze-reports', lambda c, *_: c.link.mend()),
}


def inject(
    controller: EmulatedController,
    name: str,
    value: float | None = None,
    seconds: float | None = None,
) -> None:
    """Let `name` happen to `controller`.

    Args:
        controller: Whose fault it is.
        name: One of FAULTS.
        value: What the fault needs, as its `value` says.
        seconds: How long it lasts; None is for good.

    Raises:
        UnknownFault: Another name, or a value or duration that makes no sense for it.
    """
    kind = FAULTS.get(name)
    if kind is None:
        raise UnknownFault(f'no fault {name!r}; known: {", ".join(FAULTS)}')
    if bool(kind.value) != (value is not None):
        needs = f'needs a value: {kind.value}' if kind.value else 'takes no value'
        raise UnknownFault(f'fault {name} {needs}')
    if value is not None and not kind.lowest <= value <= kind.highest:
        raise UnknownFault(
            f'fault {name}: {kind.value} must be {kind.lowest:g} to {kind.highest:g}, not {value:g}'
        )
    if seconds is not None and not (kind.lasts and seconds > 0):
        raise UnknownFault(
            f'fault {name}: seconds must be more than 0, not {seconds:g}'
            if kind.lasts
            else f'fault {name} does not end by itself: leave out the seconds'
        )
    kind.inject(controller, value or 0.0, math.inf if seconds is None else seconds)
