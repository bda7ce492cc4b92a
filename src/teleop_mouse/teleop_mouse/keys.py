"""What each key does: the one table that the window shows and the node obeys."""

from dataclasses import dataclass

from ibc_contract import topics

QUIT = 'quit'


@dataclass(frozen=True)
class Key:
    """One key of the keyboard."""

    code: int
    """What OpenCV reports: the character's code."""
    cap: str
    """What is printed on it."""
    label: str
    """What it does, in a word or two."""
    action: str
    """The service it calls, or QUIT."""
    group: str = ''
    """Keys of a group are shown side by side: episode, label, arm, window."""
    switch: bool | None = None
    """What a service that switches something on or off is asked for; None for a plain trigger."""


KEYS = (
    Key(ord('s'), 'S', 'start', topics.RECORDER_START, 'episode'),
    Key(ord(' '), 'SPACE', 'stop', topics.RECORDER_STOP, 'episode'),
    Key(ord('d'), 'D', 'discard', topics.RECORDER_DISCARD, 'episode'),
    Key(ord('y'), 'Y', 'success', topics.RECORDER_MARK_SUCCESS, 'label'),
    Key(ord('n'), 'N', 'failure', topics.RECORDER_MARK_FAILURE, 'label'),
    Key(ord('p'), 'P', 'policy on', topics.POLICY_ENABLE, 'policy', switch=True),
    Key(ord('o'), 'O', 'off', topics.POLICY_ENABLE, 'policy', switch=False),
    Key(ord('h'), 'H', 'home', topics.ARM_HOME, 'arm'),
    Key(ord('r'), 'R', 'reset twin', topics.TWIN_RESET, 'arm'),
    Key(ord('x'), 'X', 'STOP ARM', topics.ARM_STOP, 'stop'),
    Key(ord('c'), 'C', 're-arm', topics.ARM_RESET, 'stop'),
    Key(ord('q'), 'Q', 'quit', QUIT, 'window'),
)

ACTIONS = frozenset(key.action for key in KEYS)

_BY_CODE = {key.code: key for key in KEYS}


def find_key(code: int) -> Key | None:
    """Return the key of this code, upper or lower case, or None if it does nothing."""
    return _BY_CODE.get(ord(chr(code).lower())) if 0 <= code < 256 else None
