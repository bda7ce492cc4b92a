"""What can go wrong with the arm, told apart by what the driver does about it."""

from ibc_contract.errors import IbcError


class ArmError(IbcError):
    """The arm did not do what it was told."""


class ArmFault(ArmError):
    """The controller refuses to move: a person must look, then call `arm/reset`."""


class ArmSilent(ArmError):
    """One reply did not come in time; the next one may."""


class ArmLost(ArmError):
    """The connection is gone: the driver cannot go on."""
