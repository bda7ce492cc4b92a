"""The table of a site: the calibration file that says where the tool may move."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import pydantic
import yaml
from pydantic import ConfigDict, Field

from planar_arm.calibration_file import write_calibration
from planar_arm.errors import BadFile, BadGeometry
from planar_arm.strict_yaml import load_yaml
from planar_arm.tool import DEFAULT_TOOL
from planar_arm.workspace import DEFAULT_WORKSPACE, Workspace
from planar_arm.xarm6 import HOME_XY, TOOL_RADIUS

FILE = Path('calibration', 'table.yaml')
"""Where it lies in the folder of a site."""
TWIN = 'twin'
"""Stands for a file where the arm is the twin, whose table never changes."""
TWIN_SERIAL = 'EMULATED'
"""How the serial number of an emulated arm ends: no other may be moved over the twin's table."""
HEAD = """\
# Table of this site in link_base, by `ibc calibrate table`: once more when table, robot or tool
# was changed.
"""
LENGTH_TOLERANCE = 5e-4
"""A tool that differs by more than this is another one [m]."""

Coordinate = Annotated[float, Field(ge=-1.0, le=1.0)]


@pydantic.dataclasses.dataclass(frozen=True, config=ConfigDict(extra='forbid'))
class TableCalibration:
    """What is stored; a file made by hand may leave out everything after `tool_length`."""

    tool_height: Annotated[float, Field(ge=-0.3, le=0.5)]
    """z of the tool's lower end while it works [m]."""
    polygon: list[tuple[Coordinate, Coordinate]]
    """Corners (x, y) of what the tool's centre may not leave [m]."""
    tool_length: Annotated[float, Field(ge=0.01, le=0.5)]
    """Of the tool that touched the table [m]."""
    tool_radius: Annotated[float, Field(ge=0.001, le=0.1)] = TOOL_RADIUS
    """The same [m]."""
    home: tuple[Coordinate, Coordinate] = HOME_XY
    """Where the tool waits (x, y) [m]."""
    date: str = ''
    """ISO 8601, UTC."""
    table_height: float | None = None
    """In the middle of the polygon [m]."""
    tilt_deg: float | None = None
    rise_mm: float | None = None
    """By how much the table rises from one end of the polygon to the other."""
    points: list[tuple[Coordinate, Coordinate, Coordinate]] = Field(default_factory=list)
    """Where it was touched [m]."""
    residuals_mm: list[float] = Field(default_factory=list)
    """How far each of them lies above the plane through the others."""

    def table(self) -> 'Table':
        """Return what of it moves the arm; BadGeometry if polygon or home cannot be."""
        workspace = Workspace(tuple(self.polygon), self.tool_height, self.home)
        workspace.require_home()
        return Table(workspace, self.tool_length, self.tool_radius)


@dataclass(frozen=True)
class Table:
    """What of a calibration moves the arm."""

    workspace: Workspace
    tool_length: float
    """Of the tool that it was touched with [m]."""
    tool_radius: float = TOOL_RADIUS
    """Of its lower end [m]."""

    def require_tool(self, length: float) -> None:
        """Raise BadGeometry unless a tool of `length` [m] is the one that touched the table."""
        if abs(length - self.tool_length) > LENGTH_TOLERANCE:
            raise BadGeometry(
                f'the table was touched with a tool of {self.tool_length * 1e3:.1f} mm, and '
                f'tool_length is {length * 1e3:.1f} mm: ibc calibrate table again'
            )


TWIN_TABLE = Table(DEFAULT_WORKSPACE, DEFAULT_TOOL.length)


def load_table(path: str | Path) -> Table:
    """Read a calibration; the word `twin` stands for the twin's table.

    Raises:
        BadGeometry: The file is missing, unreadable, or holds what cannot be.
    """
    if str(path) == TWIN:
        return TWIN_TABLE
    stored = read_calibration(path)
    try:
        return stored.table()
    except BadGeometry as error:
        raise BadGeometry(f'table {path}: {error}') from None


def read_calibration(path: str | Path) -> TableCalibration:
    """Read the whole file; BadGeometry as `load_table`."""
    try:
        return load_yaml(path, TableCalibration)
    except BadFile as error:
        raise BadGeometry(f'table {path}: {error}; make it with ibc calibrate table SITE') from None


def save_table(site: Path, calibration: TableCalibration) -> Path:
    """Write it into the folder of a site; the calibration before is kept beside it."""
    path = site / FILE
    plain = {
        key: [list(point) if isinstance(point, tuple) else point for point in value]
        if isinstance(value, list | tuple)
        else value
        for key, value in asdict(calibration).items()
        if value not in (None, '', [])
    }
    text = yaml.safe_dump(plain, sort_keys=False, default_flow_style=None)
    write_calibration(path, HEAD + text)
    return path
