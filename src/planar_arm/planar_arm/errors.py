"""Errors of the arm's geometry and motion: what is wrong, the value, and what is allowed."""


class PlanarArmError(Exception):
    """Base of every error of this package; the message is one line."""


class UnreachablePose(PlanarArmError):
    """No joint position within the limits puts the tool there on the seed's branch."""


class OutsideWorkspace(PlanarArmError):
    """A point of the plane is outside the workspace polygon."""


class BadGeometry(PlanarArmError):
    """A polygon, camera pose or ramp was described by numbers that make no sense."""


class BadFile(PlanarArmError):
    """A file cannot be read, or does not say what it should; the message is the reason alone."""


class GateTrip(PlanarArmError):
    """The safety gate saw a joint command that must not reach the arm."""
