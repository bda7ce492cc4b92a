"""An arm that a person moves by hand, in the controller's manual mode."""

import logging
from typing import Any

import numpy as np

from planar_arm.tool import Tool
from xarm_planar_driver.arm import SETUP_TIMEOUT, XarmArm
from xarm_planar_driver.errors import ArmFault
from xarm_planar_driver.safeguards import first_code, set_tool

log = logging.getLogger(__name__)

MANUAL_MODE = 2
_POSITION_MODE = 0
_READY, _STOP = 0, 4


class HandGuidedArm(XarmArm):
    """An XarmArm that is asked where it is, and that can be set free and held again."""

    _was_reduced = _was_fenced = False

    def free(self, tool: Tool) -> None:
        """Let the arm be moved by hand: it carries itself and the tool, and nothing else.

        Fence and reduced mode are switched off, for a hand may go where the driver may not; `hold`
        switches them on again.

        Raises:
            ArmFault: The controller is in error, or does not take it.
        """
        api = self._connected()
        api.set_timeout(SETUP_TIMEOUT)
        if error := self._controller_error():
            raise ArmFault(
                f'arm at {self.address} is in error {error}: see to it, and clear it in UFACTORY '
                'Studio'
            )
        states = self._require('get_reduced_states', *api.get_reduced_states())
        self._was_reduced, self._was_fenced = bool(states[0]), bool(states[-2])
        self._expect(
            ('set_state', api.set_state(_STOP)),
            *set_tool(api, tool),
            ('set_fence_mode', first_code(api.set_fence_mode(False))),
            ('set_reduced_mode', api.set_reduced_mode(False)),
            ('motion_enable', api.motion_enable(True)),
            ('set_mode', api.set_mode(MANUAL_MODE)),
            ('set_state', api.set_state(_READY)),
        )
        state = self._require('get_state', *api.get_state())
        if state == _STOP or self._controller_error():
            raise ArmFault(f'arm at {self.address} does not go into manual mode (state {state})')

    def hold(self) -> None:
        """Leave manual mode: the arm stays where it is, stopped, with the safeguards from before.

        The fence stays off around an arm that stands outside of it: switching it on would be an
        error, and the driver sets another one before it enables the arm.
        """
        api = self._connected()
        self._expect(
            ('set_mode', api.set_mode(_POSITION_MODE)), ('set_state', api.set_state(_STOP))
        )
        if self._was_reduced:
            self._expect(('set_reduced_mode', api.set_reduced_mode(True)))
        if self._was_fenced and self._is_inside_fence(api):
            self._expect(('set_fence_mode', first_code(api.set_fence_mode(True))))
        elif self._was_fenced:
            log.warning('the arm stands outside the fence of the controller, which stays off')

    def _is_inside_fence(self, api: Any) -> bool:
        states = self._require('get_reduced_states', *api.get_reduced_states())
        boundary = np.array(states[1])
        tool = np.array(self._require('get_position', *api.get_position())[:3])
        return bool(np.all((tool <= boundary[::2]) & (tool >= boundary[1::2])))
