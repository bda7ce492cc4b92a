"""The delays that `ibc eval --delays` puts into its episodes."""

from pathlib import Path

from ibc_bringup.latency_file import load_latency
from xarm_twin.delays import GRAPH, Delays

FRAME_PERIOD_S = 1 / 30
"""Of a real camera: how much older its newest frame may get before the next one [s]."""
SPREADS = 2.0
"""So many standard deviations around a measured median belong to its span."""


def recorded_delays(words: str) -> Delays:
    """Return those of the twin's ROS graph for `graph`, else those of a site's latency file.

    The file does not know how long a policy takes to decide: that counts as none.

    Raises:
        IbcError: There is no such file, it holds no delays, or one that is negative.
    """
    if words == 'graph':
        return GRAPH
    found = load_latency(Path(words))
    camera = SPREADS * found.spread_s.get('camera', 0.0)
    setpoint = SPREADS * found.spread_s.get('setpoint', 0.0)
    age = found.camera_s + found.arrival_s
    return Delays(
        frame_age_s=(max(0.0, age - camera), max(0.0, age + camera) + FRAME_PERIOD_S),
        command_s=(max(0.0, found.setpoint_s - setpoint), max(0.0, found.setpoint_s + setpoint)),
    )
