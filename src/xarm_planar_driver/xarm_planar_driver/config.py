"""Parameters of the driver node."""

from typing import Annotated

import pydantic
from pydantic import Field

import planar_arm.xarm6 as xarm6
from planar_arm.calibration_file import MAX_AGE_DAYS
from planar_arm.errors import PlanarArmError
from planar_arm.setpoint_motion import Interpolation
from planar_arm.table import Table, load_table
from planar_arm.tool import Tool
from xarm_planar_driver.errors import ArmError

NO_TABLE = (
    'the arm stays disabled while its table is not known: ibc calibrate table SITE --robot-ip IP, '
    'then table_file (stacks: config_dir:=SITE)'
)


@pydantic.dataclasses.dataclass(frozen=True)
class DriverConfig:
    """One field per ROS parameter."""

    robot_ip: Annotated[str, Field(description='address of the xArm controller')]
    control_port: Annotated[
        int, Field(ge=1, le=65535, description='control port of the controller')
    ] = 502
    report_port_base: Annotated[
        int,
        Field(ge=0, le=65532, description='report ports follow this number; 0: the vendor ports'),
    ] = 0
    connect_wait: Annotated[
        float, Field(ge=0.0, le=120.0, description='how long to wait for the arm to answer [s]')
    ] = 10.0
    rate_hz: Annotated[
        float, Field(ge=50.0, le=200.0, description='servo rate; the vendor advises 50-200 [Hz]')
    ] = 100.0
    safety_limits: Annotated[
        str, Field(description='YAML file of safety limits; empty: those of planar_arm')
    ] = ''
    table_file: Annotated[
        str,
        Field(
            description='YAML of ibc calibrate table; twin: that of the twin; empty: none, the arm '
            'is not enabled'
        ),
    ] = ''
    table_max_age: Annotated[
        float, Field(ge=1.0, le=3650.0, description='an older table is warned of [days]')
    ] = MAX_AGE_DAYS
    tool_length: Annotated[
        float, Field(ge=0.01, le=0.5, description='from the flange to the lower end [m]')
    ] = xarm6.TOOL_LENGTH
    tool_mass: Annotated[
        float, Field(ge=0.0, le=5.0, description='of the tool with its adapter [kg]')
    ] = xarm6.TOOL_MASS
    teleop_hold: Annotated[
        float,
        Field(
            ge=0.1, le=10.0, description='policy is ignored this long after a teleop command [s]'
        ),
    ] = 0.5
    interpolation: Annotated[
        Interpolation,
        Field(description='between commands: linear, as in the paper, or jerk_limited'),
    ] = Interpolation.LINEAR
    home_speed: Annotated[
        float, Field(ge=0.01, le=0.25, description='of the tool in its plane, going home [m/s]')
    ] = 0.15
    home_joint_speed: Annotated[
        float,
        Field(ge=0.05, le=1.0, description='of the fastest joint on the way to the plane [rad/s]'),
    ] = 0.3
    collision_sensitivity: Annotated[
        int, Field(ge=1, le=5, description='of the controller; 5 notices the lightest touch')
    ] = 3
    realtime_priority: Annotated[
        int,
        Field(ge=0, le=90, description='SCHED_FIFO priority of the servo thread where allowed'),
    ] = 50
    lock_memory: Annotated[
        bool,
        Field(description='keep the memory of the start from being swapped out, where allowed'),
    ] = False
    timing_file: Annotated[
        str, Field(description='JSON file for the lateness of every tick, at the end; empty: none')
    ] = ''
    autostart: Annotated[
        bool, Field(description='configure and activate without a lifecycle manager')
    ] = True

    @property
    def period(self) -> float:
        """Time between two ticks [s]."""
        return 1.0 / self.rate_hz

    @property
    def tool(self) -> Tool:
        """What is on the flange."""
        return Tool(self.tool_length, self.tool_mass)

    def table(self) -> Table | None:
        """Read what `table_file` names; None if it names nothing.

        Raises:
            ArmError: The file is unusable, or was made with another tool.
        """
        if not self.table_file:
            return None
        try:
            table = load_table(self.table_file)
            table.require_tool(self.tool_length)
        except PlanarArmError as error:
            raise ArmError(str(error)) from None
        return table

    @property
    def report_port(self) -> int | None:
        """Port of the 'normal' reports; None is the vendor's."""
        return self.report_port_base + 1 if self.report_port_base else None
