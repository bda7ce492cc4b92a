"""Parameters of the policy node."""

from typing import Annotated

import pydantic
from pydantic import Field


@pydantic.dataclasses.dataclass(frozen=True)
class PolicyConfig:
    """The rate is no parameter: it belongs to the contract that the model was trained under."""

    model: Annotated[str, Field(min_length=1, description='name or folder of a trained model')]
    enabled: Annotated[bool, Field(description='act without waiting for policy/enable')] = False
    autostart: Annotated[bool, Field(description='configure and activate by itself')] = True
    seed: Annotated[int, Field(ge=0, le=2**31, description='seed of the candidate actions')] = 0
    threads: Annotated[
        int, Field(ge=0, le=256, description="PyTorch's CPU threads; 0: its own choice")
    ] = 1
    """One: beside driver and camera, threads that wait for each other make late ticks."""
    time_budget: Annotated[
        float, Field(ge=0, le=10, description='longest time for a decision [s]; 0: the period')
    ] = 0.0
    """At most the contract's period. A search that would take longer ends with what it has."""
    warm_start: Annotated[
        int, Field(ge=-1, le=65536, description="last tick's best candidates; -1: the model's")
    ] = -1
    mode_margin: Annotated[
        float, Field(ge=-1, le=1000, description="energy a new mode must gain [1]; -1: the model's")
    ] = -1.0
    """Both are explained in `implicit_bc.steadiness`."""
    command_latency: Annotated[
        float,
        Field(
            ge=0,
            le=0.2,
            description="from an action's publication to the setpoint's move [s]; 0: off",
        ),
    ] = 0.0
    """`ibc_policy_node.effect_time` explains what it is for."""
    device: Annotated[str, Field(description='where the network runs: cpu, cuda, cuda:1')] = 'cpu'

    @property
    def steadiness(self) -> dict[str, float]:
        """What replaces the fields of `steadiness` in the model's `policy.yaml`."""
        fields = {'warm_start': self.warm_start, 'mode_margin': self.mode_margin}
        return {name: value for name, value in fields.items() if value >= 0}
