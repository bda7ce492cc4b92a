"""Environments whose time is soon over, in a module that worker processes can import."""

from dataclasses import replace

from xarm_twin.delays import Delays
from xarm_twin.envs import PlanarTaskEnv
from xarm_twin.tasks import get_task
from xarm_twin.tasks.registry import TASKS

SHORT = 'push_briefly'
TASKS[SHORT] = replace(get_task('push_red_then_green'), name=SHORT, horizon_s=1.0)


def short_env():
    """Five periods of a task, seen by the camera and with delays."""
    return PlanarTaskEnv(SHORT, 'planar_rgb', 'tiny', delays=Delays((0.03, 0.11), (0.02, 0.08)))
