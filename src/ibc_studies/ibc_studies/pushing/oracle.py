"""The scripted policies: turn the block towards its zone, push it there; then to the next zone."""

import enum
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ibc_studies.pushing.config import SWITCH_TOLERANCE
from ibc_studies.pushing.observation import Scene

Vector = npt.NDArray[np.float64]

CONTROL_HZ = 10
APPROACH_SPEED = 0.30
PUSH_SPEED = 0.35
TURN_SPEED = 0.15
"""How fast the setpoint moves at most [m/s]."""

# Distances behind the block's centre, seen from the zone [m].
_BEFORE, _NEXT_TO, _TOUCHING = 0.05, 0.03, 0.01
_ARRIVED = 0.001
_TURN_RADIUS = 0.025
"""Distance from the block's centre at which the tool goes around to turn it [m]."""
_TURN_AHEAD = 0.2
"""How far around the block the tool aims in a step [rad]."""
_CROOKED, _STRAIGHT = 0.2, 0.03
"""Turning begins above the one and ends below the other [rad]."""


class Phase(enum.Enum):
    """What the oracle is about; hidden from who imitates it."""

    APPROACH = 'go to a point well behind the block'
    DRAW_NEAR = 'go on to its side'
    PUSH = 'push it'
    TURN_LEFT = 'turn it counter-clockwise'
    TURN_RIGHT = 'turn it clockwise'


@dataclass(frozen=True)
class _Geometry:
    """Block and setpoint seen from the zone."""

    block: Vector
    setpoint: Vector
    along: Vector
    """Unit vector from the block to the zone, (2,)."""
    error: float
    """How far the block must turn for a side to face the zone, in [-pi/4, pi/4] [rad]."""

    @classmethod
    def of(cls, scene: Scene, zone: Vector) -> '_Geometry':
        way = zone[:2] - scene.block_xy
        distance = math.hypot(*way)
        # On the spot every direction is as good; the next step has one again.
        along = way / distance if distance > 0.0 else np.array((1.0, 0.0))
        error = math.atan2(along[1], along[0]) - scene.block_yaw
        # A square looks the same after a quarter turn.
        return cls(scene.block_xy, scene.setpoint, along, math.remainder(error, math.pi / 2))

    def to_behind(self, distance: float) -> Vector:
        """Way of the setpoint to the point so far behind the block's centre, (2,) [m]."""
        return self.block - distance * self.along - self.setpoint

    def around(self, angle: float) -> Vector:
        """Way of the setpoint to where it is `angle` further around the block, (2,) [m]."""
        x, y = self.setpoint - self.block
        bearing = math.atan2(y, x) + angle
        circle = _TURN_RADIUS * np.array((math.cos(bearing), math.sin(bearing)))
        return self.block + circle - self.setpoint


class PushingOracle:
    """Pushes the block to its zone, or to the first and then to the second.

    Looks at the setpoint, not at the tool. Its phase, and that the first zone was reached, are
    hidden state: they do not follow from the observation.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin an episode."""
        self.phase = Phase.APPROACH
        self._zone = 0

    def act(self, observation: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return the move of the setpoint (2,) [m] for a state vector (10,) or (13,)."""
        scene = Scene.from_vector(observation)
        if len(scene.zones) > 1 and scene.distances()[0] < SWITCH_TOLERANCE:
            self._zone = 1  # in whatever phase it is
        way, speed = self._decide(_Geometry.of(scene, scene.zones[self._zone]))
        length = math.hypot(*way)
        return (way * min(1.0, speed / CONTROL_HZ / max(length, 1e-12))).astype(np.float32)

    def _decide(self, seen: _Geometry) -> tuple[Vector, float]:
        """Go through the phases, maybe through several at once; return way and speed."""
        way, speed = np.zeros(2), PUSH_SPEED
        if self.phase is Phase.APPROACH:
            way, speed = seen.to_behind(_BEFORE), APPROACH_SPEED
            if math.hypot(*way) < _ARRIVED:
                self.phase = Phase.DRAW_NEAR
        if self.phase is Phase.DRAW_NEAR:
            way = seen.to_behind(_NEXT_TO)
            if seen.error > _CROOKED:
                self.phase = Phase.TURN_LEFT
            elif seen.error < -_CROOKED:
                self.phase = Phase.TURN_RIGHT
            elif math.hypot(*way) < _ARRIVED:
                self.phase = Phase.PUSH
        if self.phase is Phase.PUSH:
            way = seen.to_behind(_TOUCHING)
            if abs(seen.error) > _CROOKED:
                self.phase = Phase.APPROACH
        if self.phase is Phase.TURN_LEFT:
            way, speed = seen.around(_TURN_AHEAD), TURN_SPEED
            if seen.error < _STRAIGHT:
                self.phase = Phase.APPROACH
        elif self.phase is Phase.TURN_RIGHT:
            way, speed = seen.around(-_TURN_AHEAD), TURN_SPEED
            if seen.error > -_STRAIGHT:
                self.phase = Phase.APPROACH
        return way, speed
