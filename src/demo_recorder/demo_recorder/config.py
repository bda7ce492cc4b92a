"""Parameters of the recorder node."""

from typing import Annotated

import pydantic
from pydantic import Field

from ibc_contract import topics


@pydantic.dataclasses.dataclass(frozen=True)
class RecorderConfig:
    """Fixed while the node runs; one field per ROS parameter."""

    root: Annotated[str, Field(min_length=1, description='folder that episodes are put in')] = (
        'bags'
    )
    contract: Annotated[str, Field(description='name of the contract to record under')] = (
        'planar_rgb'
    )
    calibration_file: Annotated[
        str, Field(description='camera calibration whose text every bag carries; empty: none')
    ] = ''
    expected_topics: Annotated[
        tuple[str, ...],
        Field(description='topics whose silence is worth a warning (relative names)'),
    ] = (topics.CAMERA_COMPRESSED, topics.JOINT_STATES, topics.TCP_POSE, topics.TCP_SETPOINT)
    silent_s: Annotated[
        float,
        Field(ge=0.05, le=60.0, description='silence on an expected topic to warn about [s]'),
    ] = 0.5
    min_free_mb: Annotated[
        float, Field(ge=10.0, le=1e6, description='no episode begins with less free disk [MB]')
    ] = 500.0
    queue_mb: Annotated[
        float,
        Field(ge=1.0, le=4096.0, description='memory for what waits for the disk [MB]'),
    ] = 256.0


@pydantic.dataclasses.dataclass(frozen=True)
class EpisodeFacts:
    """What the next episode is told about itself; may be set between episodes."""

    task: Annotated[str, Field(min_length=1, description='name of the task that is shown')] = (
        'unnamed'
    )
    operator: Annotated[str, Field(description='who shows it')] = ''
    note: Annotated[str, Field(description='anything worth remembering')] = ''
    seed: Annotated[
        int, Field(ge=-1, le=2**53, description='seed of the layout; -1: the one the twin tells')
    ] = -1
