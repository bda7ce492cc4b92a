"""The stacks of this project, each declared once.

`ibc up STACK name:=value` and the launch files of the same names both start what is listed here.
"""

from pathlib import Path
from typing import Any

from ibc_bringup.arguments import Argument, Values
from ibc_bringup.stack import From, Process, Stack, config_files, node_parameters
from ibc_bringup.stack_checks import check_camera, check_model, check_mouse, check_ports
from ibc_contract.errors import IbcError


def task_names() -> list[str]:
    """Names of the tasks that the twin can set up."""
    from xarm_twin.tasks import TASK_NAMES

    return list(TASK_NAMES)


def task_of_model(values: Values) -> str:
    """Name the task that the model in `model:=` was trained for."""
    from ibc_bringup.bundles import read_card

    return read_card(str(values['model'])).task


def in_twin(values: Values) -> bool:
    """Tell whether the arm is the twin: on a real one, a person lets the policy act."""
    return bool(values['sim'])


def demonstration_seed(_: Values) -> int:
    """Return a seed whose layouts no evaluation uses."""
    from xarm_twin.tasks import DEMONSTRATION_SEED

    return DEMONSTRATION_SEED


def task_of_bag(values: Values) -> str:
    """Name the task that the bag in `bag:=` shows."""
    return _bag_info(values).task


def seed_of_bag(values: Values) -> int:
    """Return the seed of the layout in the bag in `bag:=`."""
    return _bag_info(values).seed or 0


def camera_pose_of_site(values: Values) -> str:
    """Return the file with the pose of this site's camera; '' in the twin, or without one."""
    if values['sim']:
        return ''
    from realsense_capture.calibration.record import FILE

    site = str(values['config_dir'])
    if site and Path(site, FILE).is_file():
        return str(Path(site, FILE).resolve())
    named = node_parameters(config_files(site)['teleop'], 'teleop_mouse').get('camera_pose_file')
    return str(named or '')


def camera_reference_of_site(values: Values) -> str:
    """Return the picture that was taken when this site's camera was calibrated; '' without one."""
    from realsense_capture.calibration.record import PICTURE

    site = str(values['config_dir'])
    found = bool(site) and not values['sim'] and Path(site, PICTURE).is_file()
    return str(Path(site, PICTURE).resolve()) if found else ''


def _bag_info(values: Values) -> Any:
    from ibc_contract.episode_reader import EpisodeReader

    return EpisodeReader(Path(str(values['bag']))).info


SIM = Argument('sim', 'true: PyBullet twin; false: real arm and camera', default=True, kind=bool)
ROBOT_IP = Argument('robot_ip', 'address of the xArm controller, for sim:=false')
TASK = Argument('task', 'what is done', default='push_red', choices=task_names)
ROOT = Argument('root', 'folder that receives the episodes', default='bags')
OPERATOR = Argument('operator', 'who shows the task; stored in each episode', default='')
NAMESPACE = Argument('namespace', 'ROS namespace of every node', default='')
SEEDS = (0, 2**31)
SEED = Argument('seed', "seed of the twin's first layout", default=0, kind=int, span=SEEDS)
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
COMMON = (SIM, ROBOT_IP, NAMESPACE, CONFIG_DIR, *PORTS)

TWIN = Process(
    name='xarm_twin',
    package='xarm_twin',
    module='xarm_twin.node',
    executable='xarm_twin',
    check=check_ports,
    parameters={
        'task': From('task'),
        'seed': From('seed'),
        'control_port': From('control_port'),
        'report_port_base': From('report_port_base'),
        'scene_port': From('scene_port'),
        'fault_port': From('fault_port'),
    },
    when={'sim': True},
)
CAMERA = Process(
    name='realsense_capture',
    package='realsense_capture',
    module='realsense_capture.node',
    executable='realsense_capture',
    config='camera',
    sim_parameters={
        'source': 'twin',
        'scene_port': From('scene_port'),
        'renderer': From('renderer'),
    },
    robot_parameters={'source': 'device', 'reference_image': From('camera_reference')},
    check=check_camera,
)
DRIVER = Process(
    name='xarm_planar_driver',
    package='xarm_planar_driver',
    module='xarm_planar_driver.node',
    executable='xarm_planar_driver',
    config='driver',
    sim_parameters={
        'robot_ip': '127.0.0.1',
        'control_port': From('control_port'),
        'report_port_base': From('report_port_base'),
    },
    robot_parameters={'robot_ip': From('robot_ip')},
)
RECORDER = Process(
    name='demo_recorder',
    package='demo_recorder',
    module='demo_recorder.node',
    executable='demo_recorder',
    config='recorder',
    parameters={'root': From('root'), 'task': From('task'), 'operator': From('operator')},
    robot_parameters={'calibration_file': From('camera_pose')},
)
MOUSE = Process(
    name='teleop_mouse',
    package='teleop_mouse',
    module='teleop_mouse.node',
    executable='teleop_mouse',
    config='teleop',
    robot_parameters={'camera_pose_file': From('camera_pose')},
    ends_stack=True,
    check=check_mouse,
)
DEMONSTRATOR = Process(
    name='demonstrator',
    package='xarm_twin',
    module='xarm_twin.demonstrator_node',
    executable='demonstrator',
    parameters={
        'task': From('task'),
        'episodes': From('episodes'),
        'noise': From('noise'),
        'multimodal': From('multimodal'),
        'seed': From('seed'),
    },
    when={'demonstrator': True},
    needs_sim=True,
    ends_stack=True,
)
POLICY = Process(
    name='ibc_policy',
    package='ibc_policy_node',
    module='ibc_policy_node.node',
    executable='ibc_policy',
    config='policy',
    parameters={'model': From('model'), 'enabled': From('enabled')},
    check=check_model,
)
TRIALS = Process(
    name='trials',
    package='ibc_bringup',
    module='ibc_bringup.trials_node',
    executable='trials',
    parameters={
        'task': From('task'),
        'episodes': From('trials'),
        'seconds': From('seconds'),
        'video': From('video'),
        'results': From('results'),
        'record': From('record'),
    },
    when={'trials': True},
    needs_sim=True,
    ends_stack=True,
)
REPLAY = Process(
    name='replay_bag',
    package='demo_recorder',
    module='demo_recorder.replay_node',
    executable='replay_bag',
    parameters={'bag': From('bag'), 'report': From('report')},
    ends_stack=True,
)


def only(process: Process, **when: bool) -> Process:
    """Return the process with further conditions."""
    return Process(**{**vars(process), 'when': {**process.when, **when}})


STACKS = {
    stack.name: stack
    for stack in (
        Stack(
            'teleop_record',
            'record demonstrations with the mouse, or with the scripted demonstrator',
            (
                *COMMON,
                Argument(
                    'seed',
                    "seed of the twin's first layout; one that no evaluation uses if left out",
                    demonstration_seed,
                    kind=int,
                    span=SEEDS,
                ),
                RENDERER,
                CAMERA_REFERENCE,
                CAMERA_POSE,
                TASK,
                ROOT,
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
            (TWIN, CAMERA, DRIVER, RECORDER, only(MOUSE, demonstrator=False), DEMONSTRATOR),
        ),
        Stack(
            'run_policy',
            'let a trained policy move the arm',
            (
                *COMMON,
                SEED,
                RENDERER,
                CAMERA_REFERENCE,
                Argument('model', 'name of a bundle in models/, or its folder', required=True),
                Argument(
                    'task',
                    "what is done; the model's own task if left out",
                    task_of_model,
                    choices=task_names,
                ),
                Argument(
                    'enabled',
                    'act without waiting for policy/enable; if left out: in the twin only',
                    in_twin,
                    kind=bool,
                ),
                Argument(
                    'trials',
                    'how often to try in the twin, then end; 0: go on',
                    default=0,
                    kind=int,
                    span=(0, 10_000),
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
                OPERATOR,
            ),
            (
                TWIN,
                CAMERA,
                DRIVER,
                POLICY,
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
            (TWIN, DRIVER, REPLAY),
        ),
    )
}


def find_stack(name: str) -> Stack:
    """Return the stack of this name; IbcError lists the known ones."""
    if name not in STACKS:
        raise IbcError(f'unknown stack {name!r}; known: {", ".join(STACKS)}')
    return STACKS[name]
