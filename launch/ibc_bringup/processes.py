"""The nodes that stacks are made of, each declared once with what it gets from the arguments."""

from ibc_bringup.stack import From, Names, Process
from ibc_bringup.stack_checks import (
    check_camera,
    check_model,
    check_mouse,
    check_ports,
    check_root,
    check_table,
)
from ibc_contract import topics
from planar_arm.table import TWIN as TWIN_TABLE
from planar_arm.tool import DEFAULT_TOOL

TWIN_TOOL_AND_TABLE = {
    'table_file': TWIN_TABLE,
    'tool_length': DEFAULT_TOOL.length,
    'tool_mass': DEFAULT_TOOL.mass,
}
"""Of the twin, whatever a site's driver.yaml says of the robot."""

BRINGUP = Process(
    name='bringup',
    package='ibc_bringup',
    module='ibc_bringup.bring_up_node',
    executable='bringup',
    config_types=('ibc_bringup.bring_up_node:BringUpConfig',),
    parameters={
        'nodes': Names(lambda process: process.name if process.managed else ''),
        'pictures': Names(lambda process: process.pictures),
    },
    when={'autostart': True},
    may_end=True,
)
TWIN = Process(
    name='xarm_twin',
    package='xarm_twin',
    module='xarm_twin.node',
    executable='xarm_twin',
    config_types=('xarm_twin.node:TwinConfig',),
    check=check_ports,
    parameters={
        'task': From('task'),
        'seed': From('seed'),
        'control_port': From('control_port'),
        'report_port_base': From('report_port_base'),
        'scene_port': From('scene_port'),
        'fault_port': From('fault_port'),
        'arm_delay': From('arm_delay'),
    },
    when={'sim': True},
)
CAMERA = Process(
    name='realsense_capture',
    package='realsense_capture',
    module='realsense_capture.node',
    executable='realsense_capture',
    config_types=('realsense_capture.config:CaptureConfig',),
    config='camera',
    sim_parameters={
        'source': 'twin',
        'scene_port': From('scene_port'),
        'renderer': From('renderer'),
        'twin_delay': From('camera_delay'),
    },
    robot_parameters={
        'source': 'device',
        'reference_image': From('camera_reference'),
        'calibration_file': From('camera_pose'),
    },
    pictures=topics.CAMERA_COMPRESSED,
    check=check_camera,
)
DRIVER = Process(
    name='xarm_planar_driver',
    package='xarm_planar_driver',
    module='xarm_planar_driver.node',
    executable='xarm_planar_driver',
    config_types=('xarm_planar_driver.config:DriverConfig',),
    config='driver',
    parameters={'autostart': False},
    managed=True,
    sim_parameters={
        'robot_ip': '127.0.0.1',
        'control_port': From('control_port'),
        'report_port_base': From('report_port_base'),
        **TWIN_TOOL_AND_TABLE,
    },
    robot_parameters={'robot_ip': From('robot_ip'), 'table_file': From('table')},
    check=check_table,
)
RECORDER = Process(
    name='demo_recorder',
    package='demo_recorder',
    module='demo_recorder.node',
    executable='demo_recorder',
    config_types=('demo_recorder.config:RecorderConfig', 'demo_recorder.config:EpisodeFacts'),
    config='recorder',
    parameters={'root': From('root'), 'task': From('task'), 'operator': From('operator')},
    robot_parameters={'calibration_file': From('camera_pose')},
    if_killed='an episode that was open: `ibc bags repair {root}`',
    check=check_root,
)
MOUSE = Process(
    name='teleop_mouse',
    package='teleop_mouse',
    module='teleop_mouse.node',
    executable='teleop_mouse',
    config_types=('teleop_mouse.config:TeleopConfig',),
    config='teleop',
    robot_parameters={'camera_pose_file': From('camera_pose'), 'table_file': From('table')},
    ends_stack=True,
    check=check_mouse,
)
DEMONSTRATOR = Process(
    name='demonstrator',
    package='xarm_twin',
    module='xarm_twin.demonstrator_node',
    executable='demonstrator',
    config_types=('xarm_twin.demonstrator_node:DemonstratorConfig',),
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
    follows=BRINGUP.name,
)
POLICY = Process(
    name='ibc_policy',
    package='ibc_policy_node',
    module='ibc_policy_node.node',
    executable='ibc_policy',
    config_types=('ibc_policy_node.config:PolicyConfig',),
    config='policy',
    parameters={
        'model': From('model'),
        'enabled': From('enabled'),
        'autostart': False,
        'command_latency': From('command_latency'),
    },
    managed=True,
    check=check_model,
)
TRIALS = Process(
    name='trials',
    package='ibc_bringup',
    module='ibc_bringup.trials_node',
    executable='trials',
    config_types=('ibc_bringup.trials_config:TrialsConfig',),
    parameters={
        'task': From('task'),
        'episodes': From('trials'),
        'seconds': From('seconds'),
        'video': From('video'),
        'scene_port': From('scene_port'),
        'results': From('results'),
        'record': From('record'),
        'enabled': From('enabled'),
    },
    when={'trials': True},
    needs_sim=True,
    ends_stack=True,
    follows=BRINGUP.name,
)
REPLAY = Process(
    name='replay_bag',
    package='demo_recorder',
    module='demo_recorder.replay_node',
    executable='replay_bag',
    config_types=('demo_recorder.replay_node:ReplayConfig',),
    parameters={'bag': From('bag'), 'report': From('report')},
    ends_stack=True,
    follows=BRINGUP.name,
)


def only(process: Process, **when: bool) -> Process:
    """Return the process with further conditions."""
    return Process(**{**vars(process), 'when': {**process.when, **when}})
