"""Where block and zones are when an episode begins."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ibc_studies.pushing.config import PushingConfig

Vector = npt.NDArray[np.float64]

TOOL_START = (0.3, -0.4)
"""Setpoint and tool at reset [m]."""
CENTRE_X = 0.4
"""Middle of block and zones along x [m]."""
SPREAD_X = 0.1
"""They lie within this of it [m]."""
BLOCK_Y, SINGLE_ZONE_Y = -0.2, 0.2
"""Middles along y of the block, and of the zone of `single` [m]."""
SPREAD_Y = 0.15
"""They lie within this of them [m]."""
MULTI_ZONES_Y = (0.0, 0.4)
"""Exact y of the zones of `multi` [m]."""
FAITHFUL_ZONE_SPACING = 0.15
"""Distance along x that the released code leaves between the zones of `multi` [m]."""
ZONE_YAW_SPREAD = math.pi / 6
"""Zones are turned by up to this from pi [rad]; nothing depends on it."""


@dataclass(frozen=True)
class Layout:
    """One beginning."""

    block: Vector
    """x, y [m] and yaw [rad], (3,)."""
    zones: Vector
    """The same of each zone, in the order in which to visit them, (zones, 3)."""


def sample_layout(config: PushingConfig, rng: np.random.Generator) -> Layout:
    """Draw a beginning."""
    block = np.array(
        (
            CENTRE_X + rng.uniform(-SPREAD_X, SPREAD_X),
            BLOCK_Y + rng.uniform(-SPREAD_Y, SPREAD_Y),
            # The released code leaves out one of the two bounds, and NumPy fills in 1.
            rng.uniform(1.0 if config.form == 'faithful' else 0.0, math.pi),
        )
    )
    if config.task == 'single':
        y = SINGLE_ZONE_Y + rng.uniform(-SPREAD_Y, SPREAD_Y)
        return Layout(block, np.array([_zone(y, rng)]))
    while True:
        zones = np.array([_zone(y, rng) for y in MULTI_ZONES_Y])
        apart = abs(zones[0, 0] - zones[1, 0])
        if config.form == 'fixed' or apart > FAITHFUL_ZONE_SPACING:
            return Layout(block, zones)


def _zone(y: float, rng: np.random.Generator) -> tuple[float, float, float]:
    x = CENTRE_X + rng.uniform(-SPREAD_X, SPREAD_X)
    yaw = math.pi + rng.uniform(-ZONE_YAW_SPREAD, ZONE_YAW_SPREAD)
    return x, y, math.remainder(yaw, math.tau)
