"""Parameters of the node `trials`."""

from typing import Annotated

import pydantic
from pydantic import Field


@pydantic.dataclasses.dataclass(frozen=True)
class TrialsConfig:
    """What is tried, how often, and what is written."""

    task: Annotated[str, Field(description='task of the twin')] = 'push_red'
    episodes: Annotated[int, Field(ge=1, le=10_000, description='trials to make')] = 1
    seconds: Annotated[
        float,
        Field(
            ge=0, le=86_400, description='time for all trials, from the first on; 0: no limit [s]'
        ),
    ] = 0.0
    video: Annotated[str, Field(description='MP4 file to write; empty: none')] = ''
    scene_port: Annotated[
        int,
        Field(
            ge=0,
            le=65535,
            description='where the twin tells its state, for a film of the whole arm; 0: none',
        ),
    ] = 0
    results: Annotated[str, Field(description='JSON file to write; empty: none')] = ''
    record: Annotated[
        bool, Field(description='have demo_recorder keep each trial, marked by how it ended')
    ] = False
    enabled: Annotated[
        bool,
        Field(description='the policy acts from its start on: the first trial needs a new layout'),
    ] = True
