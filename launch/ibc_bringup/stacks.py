"""The stacks of this project, each declared once.

`ibc up STACK name:=value` and the launch files of the same names both start what is listed here.
"""

from ibc_bringup.arguments import Argument
from ibc_bringup.looked_up import (
    camera_pose_of_site,
    camera_reference_of_site,
    command_latency_of_site,
    in_twin_without_trials,
    recording_seed,
    seed_of_bag,
    seed_of_run,
    table_of_site,
    task_names,
    task_of_bag,
    task_of_model,
)
from ibc_bringup.processes import (
    BRINGUP,
    CAMERA,
    DEMONSTRATOR,
    DRIVER,
    MOUSE,
    POLICY,
    RECORDER,
    REPLAY,
    TRIALS,
    TWIN,
    only,
)
from ibc_bringup.stack import Stack
from ibc_contract.errors import IbcError

SIM = Argument('sim', 'true: PyBullet twin; false: real arm and camera', default=True, kind=bool)
ROBOT_IP = Argument('robot_ip', 'address of the xArm controller, for sim:=false')
TASK = Argument('task', 'what is done', default='push_red', choices=task_names)
ROOT = Argument('root', 'folder that receives the episodes', default='bags')
OPERATOR = Argument('operator', 'who shows the task; stored in each episode', default='')
NAMESPACE = Argument('namespace', 'ROS namespace of every node', default='')
SEEDS = (0, 2**31)
RENDERER = Argument(
    'renderer', 'what draws the camera image', 'auto', choices=lambda: ('auto', 'egl', 'tiny')
)
PORT = (1, 65532)
PORTS = (
    Argument('control_port', "port of the twin's arm controller", 15502, kind=int, span=PORT),
    Argument('report_port_base', 'first of its four report ports', 15030, kind=int, span=PORT),
    Argument('scene_port', "sends the scene to the twin's camera", 15600, kind=int, span=PORT),
    Argument('fault_port', 'where `ibc twin fault` reaches it', 15700, kind=int, span=PORT),
)
DELAYS = (0.0, 0.5)
ARM_DELAY = Argument(
    'arm_delay',
    "dead time of the twin's arm, to try what it does [s]",
    0.0,
    kind=float,
    span=DELAYS,
)
CAMERA_DELAY = Argument(
    'camera_delay',
    "by how much the twin's pictures are older than their stamps, likewise [s]",
    0.0,
    kind=float,
    span=DELAYS,
)
CONFIG_DIR = Argument(
    'config_dir',
    "folder of this site's YAML files; each replaces ours of the same name",
    default='',
)
CAMERA_POSE = Argument(
    'camera_pose',
    "YAML of the camera's pose, for the mouse on a robot; if left out: what ibc calibrate camera "
    'SITE has stored in config_dir:=SITE',
    camera_pose_of_site,
)
CAMERA_REFERENCE = Argument(
    'camera_reference',
    'picture to tell by whether the camera was moved, on a robot; if left out: the one that ibc '
    'calibrate camera SITE has stored in config_dir:=SITE',
    camera_reference_of_site,
)
AUTOSTART = Argument(
    'autostart',
    'driver and policy are configured, and activated once the camera shows a picture; false: you '
    'or a lifecycle manager do so, and until then the arm is not touched',
    default=True,
    kind=bool,
)
TABLE = Argument(
    'table',
    'YAML of where the tool may move, on a robot; if left out: what ibc calibrate table SITE has '
    'stored in config_dir:=SITE',
    table_of_site,
)
COMMON = (SIM, ROBOT_IP, NAMESPACE, CONFIG_DIR, TABLE, AUTOSTART, *PORTS, ARM_DELAY)

STACKS = {
    stack.name: stack
    for stack in (
        Stack(
            'teleop_record',
            'record demonstrations with the mouse, or with the scripted demonstrator',
            (
                *COMMON,
                RENDERER,
                CAMERA_DELAY,
                CAMERA_REFERENCE,
                CAMERA_POSE,
                TASK,
                ROOT,
                Argument(
                    'seed',
                    "seed of the twin's first layout; if left out: behind those in root, from "
                    '2000000 on',
                    recording_seed,
                    kind=int,
                    span=SEEDS,
                ),
                OPERATOR,
                Argument('demonstrator', 'the script shows the task (twin only)', False, kind=bool),
                Argument('episodes', 'how many it shows', 5, kind=int, span=(1, 100_000)),
                Argument('noise', 'noise of the script', 0.0, kind=float, span=(0, 1)),
                Argument(
                    'multimodal',
                    'the script passes obstacles on either side, not on the nearest',
                    default=False,
                    kind=bool,
                ),
            ),
            (
                TWIN,
                CAMERA,
                DRIVER,
                BRINGUP,
                RECORDER,
                only(MOUSE, demonstrator=False),
                DEMONSTRATOR,
            ),
        ),
        Stack(
            'run_policy',
            'let a trained policy move the arm',
            (
                *COMMON,
                RENDERER,
                CAMERA_DELAY,
                CAMERA_REFERENCE,
                Argument('model', 'name of a bundle in models/, or its folder', required=True),
                Argument(
                    'task',
                    "what is done; the model's own task if left out",
                    task_of_model,
                    choices=task_names,
                ),
                Argument(
                    'command_latency',
                    'from an action to the move of the setpoint, for which the policy then acts, 0 '
                    'is off; if left out: what ibc calibrate latency SITE has stored in '
                    'config_dir:=SITE, else 0 [s]',
                    command_latency_of_site,
                    kind=float,
                    span=(0, 0.2),
                ),
                Argument(
                    'trials',
                    'how often to try in the twin, then end; 0: go on',
                    default=0,
                    kind=int,
                    span=(0, 10_000),
                ),
                Argument(
                    'enabled',
                    'act without waiting for policy/enable; if left out: in the twin only, where '
                    'no trials switch it',
                    in_twin_without_trials,
                    kind=bool,
                ),
                Argument(
                    'seconds',
                    'time for all trials; 0: no limit [s]',
                    default=0.0,
                    kind=float,
                    span=(0, 86_400),
                ),
                Argument('video', 'MP4 file of the trials', default=''),
                Argument('results', 'JSON file of the trials', default=''),
                Argument('teleop', 'open the mouse window to take over', default=False, kind=bool),
                CAMERA_POSE,
                Argument(
                    'record',
                    'start the recorder; with trials, each becomes an episode with its outcome',
                    default=False,
                    kind=bool,
                ),
                ROOT,
                Argument(
                    'seed',
                    "seed of the twin's first layout; if left out: 0, or as in teleop_record where "
                    'a person records',
                    seed_of_run,
                    kind=int,
                    span=SEEDS,
                ),
                OPERATOR,
            ),
            (
                TWIN,
                CAMERA,
                DRIVER,
                POLICY,
                BRINGUP,
                TRIALS,
                only(MOUSE, teleop=True),
                only(RECORDER, record=True),
            ),
        ),
        Stack(
            'replay_bag',
            'drive the arm with the setpoints of a bag and report the tracking error',
            (
                *COMMON,
                Argument('bag', 'folder of the episode', required=True),
                Argument(
                    'task',
                    "what is set up; the bag's own task if left out",
                    task_of_bag,
                    choices=task_names,
                ),
                Argument(
                    'seed',
                    "seed of the layout; the bag's own if left out",
                    seed_of_bag,
                    kind=int,
                    span=SEEDS,
                ),
                Argument('report', 'JSON file for the tracking error', default=''),
            ),
            (TWIN, DRIVER, BRINGUP, REPLAY),
        ),
    )
}


def find_stack(name: str) -> Stack:
    """Return the stack of this name; IbcError lists the known ones."""
    if name not in STACKS:
        raise IbcError(f'unknown stack {name!r}; known: {", ".join(STACKS)}')
    return STACKS[name]
