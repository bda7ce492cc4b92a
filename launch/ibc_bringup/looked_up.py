"""Defaults of arguments that depend on others: looked up in the model, the bag or the site."""

from pathlib import Path

from ibc_bringup.arguments import Values
from ibc_bringup.parameter_files import config_files, node_parameters
from ibc_contract.episode_info import EpisodeInfo


def task_names() -> list[str]:
    """Names of the tasks that the twin can set up."""
    from xarm_twin.tasks import TASK_NAMES

    return list(TASK_NAMES)


def task_of_model(values: Values) -> str:
    """Name the task that the model in `model:=` was trained for."""
    from ibc_bringup.bundles import read_card

    return read_card(str(values['model'])).task


def in_twin_without_trials(values: Values) -> bool:
    """Tell whether nobody else lets the policy act: a person on a real arm, trials in the twin."""
    return bool(values['sim']) and not values['trials']


def recording_seed(values: Values) -> int:
    """Return a seed whose layouts no evaluation uses and no episode in `root:=` shows yet."""
    from ibc_contract.bag_metadata import read_information
    from ibc_contract.episode_reader import find_episodes
    from ibc_contract.episode_writer import DISCARDED
    from ibc_contract.errors import BadEpisode
    from xarm_twin.tasks import RECORDING_SEED

    root = Path(str(values['root']))
    seed = RECORDING_SEED - 1
    for folder in (root, root / DISCARDED):
        for episode in find_episodes(folder) if folder.is_dir() else ():
            try:
                facts = EpisodeInfo.from_strings(
                    read_information(episode)['custom_data'], str(episode)
                )
            except (BadEpisode, KeyError):
                continue  # not ours, or damaged
            seed = max(seed, facts.seed or 0)
    return seed + 1


def seed_of_run(values: Values) -> int:
    """Return 0, or for what a person corrects and records a seed that no evaluation uses."""
    return recording_seed(values) if values['record'] and not values['trials'] else 0


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


def table_of_site(values: Values) -> str:
    """Return the file that says where this site's table is; '' in the twin, or without one."""
    if values['sim']:
        return ''
    from planar_arm.table import FILE

    site = str(values['config_dir'])
    if site and Path(site, FILE).is_file():
        return str(Path(site, FILE).resolve())
    named = node_parameters(config_files(site)['driver'], 'xarm_planar_driver').get('table_file')
    return str(named or '')


def camera_reference_of_site(values: Values) -> str:
    """Return the picture that was taken when this site's camera was calibrated; '' without one."""
    from realsense_capture.calibration.record import PICTURE

    site = str(values['config_dir'])
    found = bool(site) and not values['sim'] and Path(site, PICTURE).is_file()
    return str(Path(site, PICTURE).resolve()) if found else ''


def command_latency_of_site(values: Values) -> float:
    """Return how late this site's setpoint moves after a command [s]; 0 where nobody measured."""
    from ibc_bringup.latency_file import FILE, load_latency

    site = str(values['config_dir'])
    if site and Path(site, FILE).is_file():
        return max(0.0, load_latency(Path(site, FILE)).setpoint_s)
    named = node_parameters(config_files(site)['policy'], 'ibc_policy').get('command_latency')
    return float(str(named or 0.0))


def _bag_info(values: Values) -> EpisodeInfo:
    from ibc_contract.episode_reader import EpisodeReader

    return EpisodeReader(Path(str(values['bag']))).info
