"""Pushing a block to one zone or to two, from states or from pixels (paper 5, Table 3).

A tool that points down is led by moves of its setpoint, at 10 Hz. Task `single`: the block's centre
has to come to a zone; 100 steps. Task `multi`: to a zone, and then on to a second; 200 steps.

Form `faithful` does what the released code does, form `fixed` what it was meant to:

| what | faithful | fixed |
|---|---|---|
| yaw of the block at reset | uniform on (1, pi] (a missing argument): some 36 % of the orientations of a square twice as likely as the others | uniform on [0, pi) |
| `single`: success within | demonstrations 0.01 m, evaluation 0.02 m | both 0.02 m |
| `multi`: success within | demonstrations 0.04 m, evaluation 0.02 m, where the oracle, which turns at 0.04 m, succeeds in 88 of 100 | both 0.04 m |
| `multi`: zones at reset | more than 0.15 m apart along x, though 0.4 m apart along y | independent |

The forms agree where a slip in the released code has no effect. For `multi` its success asks twice
whether the first zone was visited and never whether the second was; it also asks that the block is
at the second now, which implies the other. And it resets the block half in the table, from where
the block comes up during the settling steps within a few micrometres of where it was put.

What both do otherwise than the released code:

- The tool runs on two rails, not on an arm. The released arm solves its inverse kinematics for the
  setpoint and hands the joints to PyBullet's position motors; the rails have the same motors with
  the same gain, which close a tenth of the gap in each of the 24 physics steps of an action, so the
  tool lags alike. What the arm adds (a millimetre of offset, some tilt, corners of the workspace
  that it cannot reach) is no part of the task, and a study takes tens of thousands of steps, which
  rails do nearly five times as fast. The oracle, run on both from the same 100 layouts (`single`,
  `faithful`, 0.02 m), succeeds in all of them, on average in 43.0 steps on the rails and 42.1 with the arm.
- The tool is one cylinder with the radius at which the released suction head touches the block;
  mass, inertia, friction, gravity and rates are the released ones.
- The camera is the released one: 320x240, shrunk to the contract's size. It sees table, block, zones,
  and the tool with a rod of the real robot's 25.4 mm above it, where the released arm carries its
  suction head: without an arm in the physics there is none to be seen, or to hide anything. Zones are
  drawn where success is asked for; the released ones may be drawn 1 cm beside it.
- Every episode has a seed; where the released code restores a saved state, the scene is built anew.
"""  # noqa: E501

from ibc_studies.pushing.config import Form, PushingConfig, Task
from ibc_studies.pushing.demonstrations import pushing_demonstrations
from ibc_studies.pushing.env import PushingEnv
from ibc_studies.pushing.oracle import PushingOracle
from ibc_studies.pushing.rollout import roll_out_pushing

__all__ = [
    'Form',
    'PushingConfig',
    'PushingEnv',
    'PushingOracle',
    'Task',
    'pushing_demonstrations',
    'roll_out_pushing',
]
