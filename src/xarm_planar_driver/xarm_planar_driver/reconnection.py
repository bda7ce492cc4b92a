"""Connecting again, beside the loop that waits for it."""

import logging
import threading

from xarm_planar_driver.arm import XarmArm
from xarm_planar_driver.errors import ArmError

log = logging.getLogger(__name__)

RETRY = 1.0
"""Between two attempts [s]."""


class Reconnection:
    """Tries until the arm answers; the arm must be left alone until `done`."""

    def __init__(self, arm: XarmArm) -> None:
        """Begin to try."""
        self._arm = arm
        self._stop = threading.Event()
        self._connected = threading.Event()
        threading.Thread(target=self._run, name='reconnect', daemon=True).start()

    @property
    def done(self) -> bool:
        """Whether the arm is connected."""
        return self._connected.is_set()

    def give_up(self) -> None:
        """Try no more."""
        self._stop.set()

    def _run(self) -> None:
        said = ''
        while not self._stop.is_set():
            try:
                self._arm.reconnect()
            except ArmError as error:
                if str(error) != said:
                    said = str(error)
                    log.info('%s', said)
                self._stop.wait(RETRY)
            else:
                break
        if self._stop.is_set():  # nobody waits any more
            self._arm.disconnect()
        else:
            self._connected.set()
