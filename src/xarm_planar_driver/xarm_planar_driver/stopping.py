"""A stop that is sent until the arm has taken it."""

import logging

from xarm_planar_driver.arm import XarmArm
from xarm_planar_driver.errors import ArmError, ArmLost

log = logging.getLogger(__name__)

UNREACHED = 'the controller does not answer: press the e-stop button'
"""What to say while it is not known whether the arm has taken a stop."""


class Stop:
    """Tells the arm to stop, again and again where it does not answer."""

    def __init__(self, arm: XarmArm) -> None:
        self._arm = arm
        self.is_pending = False
        """Whether the arm was told and has not said that it is stopped."""

    def send(self) -> bool:
        """Tell the arm, or tell it again; return whether it has taken it.

        Raises:
            ArmLost: The connection is gone: it has not, and holds what it was sent last.
        """
        was_pending, self.is_pending = self.is_pending, True
        try:
            self._arm.stop()
        except ArmLost:
            raise
        except ArmError as error:
            if not was_pending:
                log.error('the arm did not take the stop, which is sent again: %s', error)
            return False
        if was_pending:
            log.info('the arm has taken the stop')
        self.is_pending = False
        return True
