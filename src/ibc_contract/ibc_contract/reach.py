"""How far nodes reach: this machine alone, unless somebody chose otherwise. Knows no ROS."""

import os
from collections.abc import Mapping
from importlib import resources

REACH = 'ROS_AUTOMATIC_DISCOVERY_RANGE'
PROFILE = 'FASTRTPS_DEFAULT_PROFILES_FILE'


def missing_settings(base: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return what this project sets for its nodes and `base` does not.

    Nodes look for others, and listen, on this machine alone, and images travel through shared
    memory. The DDS reads both variables when its first node is made.
    """
    reach = base.get(REACH) or 'LOCALHOST'
    profile = 'fastdds_shm.xml' if reach == 'LOCALHOST' else 'fastdds_network.xml'
    settings = {REACH: reach, PROFILE: str(resources.files('ibc_contract') / profile)}
    return {name: value for name, value in settings.items() if not base.get(name)}
