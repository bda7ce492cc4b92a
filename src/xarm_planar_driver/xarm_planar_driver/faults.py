"""Why an arm is stopped: every class of fault, by name."""

from enum import StrEnum


class Fault(StrEnum):
    """Each ends in the stop that docs/safety.md names, and that lasts until an `arm/reset`."""

    STOP_CALLED = 'stop_called'
    """A person asked for it."""
    JOINT_COMMAND = 'joint_command'
    """The safety gate refused what was about to be sent."""
    UNREACHABLE = 'unreachable'
    """No joint positions put the tool where it should be."""
    NO_WAY_HOME = 'no_way_home'
    """The tool would dip into the board, or is already too low."""
    CONTROLLER_ERROR = 'controller_error'
    """Collision, emergency stop, fence, too fast, ..."""
    TAKEN_OVER = 'taken_over'
    """Another program changed mode or state."""
    LIMITS_NOT_KEPT = 'limits_not_kept'
    """The controller has other limits than it was told."""
    REFUSED = 'refused'
    """The SDK returned a code that names nothing else."""
    BAD_MEASUREMENT = 'bad_measurement'
    """Measured joints that are no numbers."""
    NOT_FOLLOWING = 'not_following'
    """Measured joints, or the tool's height, are not what was sent."""
    NO_REPORTS = 'no_reports'
    """The controller's status does not come any more."""
    NO_ANSWER = 'no_answer'
    """The controller was silent while the arm was being enabled."""
    LINK_LOST = 'link_lost'
    """The connection is gone."""
    BUG = 'bug'
    """An error of this program."""
