"""An xArm controller that the vendor's SDK cannot tell from a real one on the wire."""

from xarm_twin.controller.fault_port import FaultPort
from xarm_twin.controller.faults import inject
from xarm_twin.controller.firmware import Identity
from xarm_twin.controller.plant import ArmPlant, LagPlant
from xarm_twin.controller.server import EmulatedController
from xarm_twin.controller.state import ControllerState
from xarm_twin.loopback import PortUnavailable

__all__ = [
    'ArmPlant',
    'ControllerState',
    'EmulatedController',
    'FaultPort',
    'Identity',
    'LagPlant',
    'PortUnavailable',
    'inject',
]
