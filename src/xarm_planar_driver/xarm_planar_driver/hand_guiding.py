"""An arm that a person moves by hand, in the controller's manual mode."""

from planar_arm.tool import Tool
from xarm_planar_driver.arm import SETUP_TIMEOUT, XarmArm
from xarm_planar_driver.errors import ArmFault
from xarm_planar_driver.safeguards import first_code, set_tool

MANUAL_MODE = 2
_POSITION_MODE = 0
_READY, _STOP = 0, 4


class HandGuidedArm(XarmArm):
    """An XarmArm that is asked where it is, and that can be set free and held again."""

    def free(self, tool: Tool) -> None:
        """Let the arm be moved by hand: it carries itself and the tool, and nothing else.

        Fence and reduced mode are switched off, for a hand may go where the driver may not; the
        driver sets both before it enables the arm.

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
        """Leave manual mode: the arm stays where it is, stopped."""
        api = self._connected()
        self._expect(
            ('set_mode', api.set_mode(_POSITION_MODE)), ('set_state', api.set_state(_STOP))
        )
