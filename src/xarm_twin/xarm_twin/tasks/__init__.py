"""Tasks of the twin: bodies, seeded layouts, scores."""

from xarm_twin.tasks.layout import DEMONSTRATION_SEED, RECORDING_SEED
from xarm_twin.tasks.objects import Box, ObjectSpec
from xarm_twin.tasks.registry import TASK_NAMES, get_task
from xarm_twin.tasks.task import Task

__all__ = [
    'DEMONSTRATION_SEED',
    'RECORDING_SEED',
    'TASK_NAMES',
    'Box',
    'ObjectSpec',
    'Task',
    'get_task',
]
