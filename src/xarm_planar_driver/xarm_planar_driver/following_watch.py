"""Whether the arm is where it was sent: joint by joint, and the tool in its plane."""

import numpy as np
import numpy.typing as npt

import planar_arm.xarm6 as xarm6
from planar_arm.safety import SafetyLimits
from xarm_planar_driver.errors import ArmFault
from xarm_planar_driver.faults import Fault

Vector = npt.NDArray[np.float64]

LASTING = 0.3
"""A difference for less long is none: the arm lags, and readings jitter [s]."""
FEWEST = 3
"""So many measurements must show it, however late they come."""


class FollowingWatch:
    """Looks at every measurement of an enabled arm."""

    def __init__(self, limits: SafetyLimits) -> None:
        self._limits = limits
        self._worst_joint = self._worst_height = 0.0
        self.restart()

    def restart(self) -> None:
        """Begin anew: the arm has just been enabled."""
        self._since = 0.0
        self._count = 0

    def take_worst(self) -> tuple[float, float]:
        """Return the largest differences since the last call, of a joint [rad], in height [m]."""
        worst = self._worst_joint, self._worst_height
        self._worst_joint = self._worst_height = 0.0
        return worst

    def check(self, t: float, q_sent: Vector, q: Vector, height: float) -> None:
        """Judge joints `q` (6,) [rad] measured at `t` [s], after `q_sent` was sent.

        Args:
            t: On a clock that nobody sets.
            q_sent: What was sent last, (6,) [rad].
            q: What was measured, (6,) [rad].
            height: Of the measured tool above its plane [m]; 0 where it need not be in it.

        Raises:
            ArmFault: A joint, or the tool, has been elsewhere for LASTING.
        """
        errors = np.abs(q - q_sent)
        joint = int(np.argmax(errors))
        self._worst_joint = max(self._worst_joint, float(errors[joint]))
        self._worst_height = max(self._worst_height, abs(height))
        limits = self._limits
        if errors[joint] > limits.max_joint_error:
            where = (
                f'{xarm6.JOINT_NAMES[joint]} is at {q[joint]:.3f} rad and was sent to '
                f'{q_sent[joint]:.3f}: limit {limits.max_joint_error} rad'
            )
        elif abs(height) > limits.max_height_error:
            where = (
                f'the tool is {height * 1e3:+.1f} mm from its plane: limit '
                f'{limits.max_height_error * 1e3:g} mm'
            )
        else:
            self.restart()
            return
        self._since = self._since if self._count else t
        self._count += 1
        if self._count >= FEWEST and t - self._since >= LASTING:
            raise ArmFault(f'the arm is not where it was sent: {where}', Fault.NOT_FOLLOWING)
