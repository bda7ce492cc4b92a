"""The tool on the flange: what a site may have other than ours."""

from dataclasses import dataclass

import planar_arm.xarm6 as xarm6


@dataclass(frozen=True)
class Tool:
    """A cylinder along the flange's axis."""

    length: float = xarm6.TOOL_LENGTH
    """From the flange to its lower end [m]."""
    mass: float = xarm6.TOOL_MASS
    """With its adapter [kg]; its centre is taken to be half way down."""
    radius: float = xarm6.TOOL_RADIUS
    """Of its lower end [m]."""


DEFAULT_TOOL = Tool()
"""The twin's, and the one that the shipped policies were trained with."""
