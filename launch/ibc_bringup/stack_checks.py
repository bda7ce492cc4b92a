"""What a stack asks before it starts any node, for an arm moves as soon as its driver does."""

import logging
from pathlib import Path

from ibc_bringup.arguments import Values
from ibc_contract.errors import IbcError

log = logging.getLogger(__name__)

PORTS = ('control_port', 'report_port_base', 'scene_port', 'fault_port')


def check_mouse(values: Values) -> None:
    """Raise IbcError unless a window can be opened, and a pixel be found on a robot's table."""
    from teleop_mouse.window import check_display

    check_display()
    if values['sim']:
        return
    from planar_arm.camera_model import load_camera_pose
    from planar_arm.errors import PlanarArmError

    path = str(values['camera_pose'])
    if not path:
        raise IbcError(
            "the mouse has to know where the robot's camera stands: ibc calibrate camera SITE, "
            'then config_dir:=SITE (or camera_pose:=FILE)'
        )
    try:
        load_camera_pose(path)
    except PlanarArmError as error:
        raise IbcError(f'{error}: make it with ibc calibrate camera SITE') from None


def check_table(values: Values) -> None:
    """Raise IbcError unless it is known where a robot's tool may move; the twin's is."""
    if values['sim']:
        return
    from ibc_bringup.parameter_files import config_files, node_parameters
    from planar_arm.errors import PlanarArmError
    from planar_arm.table import TWIN, load_table
    from planar_arm.tool import DEFAULT_TOOL

    path = str(values['table'])
    if not path:
        raise IbcError(
            "the driver has to know where the robot's table is: ibc calibrate table SITE "
            '--robot-ip IP, then config_dir:=SITE (or table:=FILE)'
        )
    if path == TWIN:
        raise IbcError(
            "table:=twin is the twin's, and nobody knows where a robot's is until ibc calibrate "
            'table SITE --robot-ip IP, then config_dir:=SITE'
        )
    parameters = node_parameters(
        config_files(str(values['config_dir']))['driver'], 'xarm_planar_driver'
    )
    try:
        length = parameters.get('tool_length', DEFAULT_TOOL.length)
        load_table(path).require_tool(float(str(length)))
    except PlanarArmError as error:
        raise IbcError(str(error)) from None


def check_ports(values: Values) -> None:
    """Raise IbcError unless the twin can have its ports: a driver takes whoever answers there."""
    from ibc_bringup.ports import is_free, twin_ports

    taken = [
        port for port in twin_ports(*(int(values[name]) for name in PORTS)) if not is_free(port)
    ]
    if taken:
        raise IbcError(
            f'port {taken[0]} on 127.0.0.1 is in use, maybe by another twin: stop it, or choose '
            'other ports with control_port:=, report_port_base:=, scene_port:= and fault_port:='
        )


def check_root(values: Values) -> None:
    """Raise IbcError unless episodes can be put where they shall go; the folder is made."""
    from demo_recorder.session import prepare_folder

    prepare_folder(Path(str(values['root'])))


def check_camera(values: Values) -> None:
    """Raise IbcError unless the one camera that is meant is there; the twin's always is.

    If it was calibrated, it must not be another one: the mouse would point beside what it shows.
    """
    if values['sim']:
        return
    from ibc_bringup.checks import ONLY_ROBOT, camera
    from ibc_bringup.parameter_files import config_files, node_parameters
    from realsense_capture.calibration.record import difference

    path = config_files(str(values['config_dir']))['camera']
    found = camera(node_parameters(path, 'realsense_capture'))
    if found.status != 'ok':
        detail = found.detail.removesuffix(f'; {ONLY_ROBOT}')
        raise IbcError(f'camera: {detail} (parameters: {path}); sim:=true needs none')
    if other := difference(str(values.get('camera_pose', '')), found.detail):
        raise IbcError(f'{other}: plug in the one that is meant, or ibc calibrate camera SITE')


def check_model(values: Values) -> None:
    """Raise IbcError unless the policy can run."""
    from ibc_bringup.bundles import check_bundle, find_bundle, read_card

    bundle = find_bundle(str(values['model']))
    contract = check_bundle(bundle)
    if contract.observation.kind == 'state' and not values['sim']:
        raise IbcError(
            f'model {values["model"]} sees the poses of the objects ({contract.name}), which only '
            'the twin knows: add sim:=true, or take a model that sees images'
        )
    tasks = read_card(str(bundle)).tasks
    if values['task'] not in tasks:
        log.warning(
            'model %s was trained for %s, not for %s',
            values['model'],
            ', '.join(tasks),
            values['task'],
        )
