"""What can go wrong with the arm, told apart by what the driver does about it."""

from ibc_contract.errors import IbcError
from planar_arm.errors import GateTrip, PlanarArmError, UnreachablePose
from xarm_planar_driver.faults import Fault


class ArmError(IbcError):
    """The arm did not do what it was told."""

    fault = Fault.REFUSED


class ArmFault(ArmError):
    """The controller refuses to move: a person must look, then call `arm/reset`."""

    def __init__(self, message: str, fault: Fault = Fault.REFUSED) -> None:
        super().__init__(message)
        self.fault = fault


class ArmSilent(ArmError):
    """One reply did not come in time; the next one may."""

    fault = Fault.NO_ANSWER


class ArmLost(ArmError):
    """The connection is gone: the driver cannot go on."""

    fault = Fault.LINK_LOST


def fault_of(error: ArmError | PlanarArmError) -> Fault:
    """Return the class of the stop that `error` ends in."""
    match error:
        case ArmError():
            return error.fault
        case GateTrip():
            return Fault.JOINT_COMMAND
        case UnreachablePose():
            return Fault.UNREACHABLE
        case _:
            return Fault.NO_WAY_HOME
