"""The tasks by name, with their layouts."""

from dataclasses import replace

import numpy as np

from ibc_contract.errors import IbcError
from xarm_twin.tasks.insert import InsertTask
from xarm_twin.tasks.layout import Area
from xarm_twin.tasks.objects import BLUE, GREEN, RED, YELLOW, block
from xarm_twin.tasks.push import PushTask
from xarm_twin.tasks.sort import SortTask
from xarm_twin.tasks.task import Task

TILT = np.deg2rad(6.0)

PUSH_RED = PushTask(
    name='push_red',
    label='push the red block into the black tray',
    horizon_s=30.0,
    blocks=(block('red', RED),),
    # The quick start: the block lies near and nearly straight, so that minutes of training show.
    block_areas=(Area((0.34, 0.42), (-0.10, 0.10), (-3 * TILT, 3 * TILT)),),
    tray_areas=(Area((0.535, 0.555), (-0.03, 0.03), (-TILT, TILT)),),
)

PUSH_RED_THEN_GREEN = PushTask(
    name='push_red_then_green',
    label="push the red block into the tray on the robot's left, then the green one into the other",
    horizon_s=60.0,
    blocks=(block('red', RED), block('green', GREEN)),
    block_areas=(Area((0.31, 0.42), (-0.16, 0.16)), Area((0.31, 0.42), (-0.16, 0.16))),
    tray_areas=(
        Area((0.535, 0.555), (0.105, 0.135), (-TILT, TILT)),
        Area((0.535, 0.555), (-0.135, -0.105), (-TILT, TILT)),
    ),
)

PUSH_RED_GREEN_MULTIMODAL = replace(
    PUSH_RED_THEN_GREEN,
    name='push_red_green_multimodal',
    label='push the red and the green block into one tray each, in any order',
    any_tray=True,
)

INSERT_BLUE = InsertTask(
    name='insert_blue',
    label='push the blue block all the way into the tight slot',
    horizon_s=60.0,
    block=block('blue', BLUE),
    block_area=Area((0.31, 0.39), (-0.14, 0.14)),
    slot_area=Area((0.53, 0.55), (-0.04, 0.04), (-2 * TILT, 2 * TILT)),
)

SORT_BLUE_FROM_YELLOW = SortTask(
    name='sort_blue_from_yellow',
    label="push the blue blocks into the tray on the robot's left, the yellow ones into the other",
    horizon_s=60.0,
    colours=(
        tuple(block(f'blue_{i}', BLUE) for i in range(4)),
        tuple(block(f'yellow_{i}', YELLOW) for i in range(4)),
    ),
    block_area=Area((0.255, 0.405), (-0.19, 0.19)),
    tray_areas=(
        Area((0.545, 0.555), (0.125, 0.135), (-TILT, TILT)),
        Area((0.545, 0.555), (-0.135, -0.125), (-TILT, TILT)),
    ),
)

TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        PUSH_RED,
        PUSH_RED_THEN_GREEN,
        PUSH_RED_GREEN_MULTIMODAL,
        INSERT_BLUE,
        SORT_BLUE_FROM_YELLOW,
    )
}
TASK_NAMES = tuple(TASKS)


def get_task(name: str) -> Task:
    """Return the task `name`; IbcError lists the known ones otherwise."""
    if name not in TASKS:
        raise IbcError(f'unknown task {name!r}; known: {", ".join(TASK_NAMES)}')
    return TASKS[name]
