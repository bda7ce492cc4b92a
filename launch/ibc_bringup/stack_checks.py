"""What a stack asks before it starts any node, for an arm moves as soon as its driver does."""

from ibc_bringup.arguments import Values
from ibc_contract.errors import IbcError

PORTS = ('control_port', 'report_port_base', 'scene_port', 'fault_port')


def check_window(_: Values) -> None:
    """Raise IbcError unless a window can be opened."""
    from teleop_mouse.window import check_display

    check_display()


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


def check_camera(values: Values) -> None:
    """Raise IbcError unless the one camera that is meant is there; the twin's always is."""
    if values['sim']:
        return
    from ibc_bringup.checks import ONLY_ROBOT, camera
    from ibc_bringup.stack import config_files, node_parameters

    path = config_files(str(values['config_dir']))['camera']
    found = camera(node_parameters(path, 'realsense_capture'))
    if found.status != 'ok':
        detail = found.detail.removesuffix(f'; {ONLY_ROBOT}')
        raise IbcError(f'camera: {detail} (parameters: {path}); sim:=true needs none')


def check_model(values: Values) -> None:
    """Raise IbcError unless the policy can run."""
    from ibc_bringup.bundles import check_bundle, find_bundle

    contract = check_bundle(find_bundle(str(values['model'])))
    if contract.observation.kind == 'state' and not values['sim']:
        raise IbcError(
            f'model {values["model"]} sees the poses of the objects ({contract.name}), which only '
            'the twin knows: add sim:=true, or take a model that sees images'
        )
