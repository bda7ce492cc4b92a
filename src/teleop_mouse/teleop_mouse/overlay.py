"""What is drawn over the camera image: workspace, tool and pointer on the board.

Colours are BGR. All functions draw into the image that they are given.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from planar_arm.camera_model import CameraModel
from planar_arm.workspace import Workspace
from planar_arm.xarm6 import TOOL_RADIUS
from teleop_mouse.pointer import Point

Colour = tuple[int, int, int]
Image = np.ndarray

FONT = cv2.FONT_HERSHEY_SIMPLEX
WHITE: Colour = (245, 245, 245)
GREY: Colour = (160, 160, 160)
DARK: Colour = (34, 30, 28)
CYAN: Colour = (225, 200, 90)
GREEN: Colour = (110, 220, 110)
AMBER: Colour = (60, 190, 255)
RED: Colour = (70, 70, 235)

SHIFT = 4
"""Fractional bits of the coordinates given to OpenCV: lines move by less than a pixel."""
CIRCLE = np.linspace(0.0, 2.0 * np.pi, 33)


@dataclass(frozen=True)
class Marks:
    """What to draw on the board, in `link_base`."""

    setpoint: Point | None = None
    """Where the driver commands the tool to be, (2,) [m]."""
    target: Point | None = None
    """Where the moves sent so far should bring it, (2,) [m]; None while it is not led."""
    aim: Point | None = None
    """What the pointer points at, (2,) [m]."""
    tool_radius: float = TOOL_RADIUS
    """Of the ring around the setpoint [m]."""


def draw_marks(image: Image, view: CameraModel, workspace: Workspace, marks: Marks) -> None:
    """Draw workspace outline, setpoint, target and aim, all at the height of the tool's end."""
    led = marks.target is not None
    outline = np.asarray(workspace.polygon)
    _polygon(image, view, outline, workspace.tool_height, CYAN if led else GREY, halo=False)
    setpoint, target = marks.setpoint, marks.target
    if target is not None and marks.aim is not None:
        inside = workspace.project(marks.aim)
        _dashed(image, view, target, inside, workspace.tool_height)
        _cross(image, view, inside, workspace.tool_height, AMBER)
    if setpoint is not None:
        ring = setpoint + marks.tool_radius * np.stack([np.cos(CIRCLE), np.sin(CIRCLE)], axis=1)
        _polygon(image, view, ring, workspace.tool_height, GREEN if led else WHITE, thickness=2)
    if target is not None:
        dot = _fixed(view, target[None], workspace.tool_height)
        if dot is not None:
            x, y = dot[0].tolist()
            cv2.circle(image, (x, y), 5 << SHIFT, DARK, -1, cv2.LINE_AA, SHIFT)
            cv2.circle(image, (x, y), 4 << SHIFT, AMBER, -1, cv2.LINE_AA, SHIFT)


@dataclass(frozen=True)
class Banner:
    """A line that must not be overlooked."""

    text: str
    colour: Colour


def draw_banners(image: Image, banners: Sequence[Banner]) -> None:
    """Frame the image in the colour of the first banner and put them all on top."""
    height, width = image.shape[:2]
    scale = text_scale(width) * 1.1
    row = 3 * cv2.getTextSize('X', FONT, scale, 2)[0][1]
    if banners:
        cv2.rectangle(image, (0, 0), (width - 1, height - 1), banners[0].colour, 3)
    for i, banner in enumerate(banners):
        text = fit_text(banner.text, scale, 2, width - 20)
        text_width = cv2.getTextSize(text, FONT, scale, 2)[0][0]
        cv2.rectangle(image, (0, i * row), (width, (i + 1) * row - 1), banner.colour, -1)
        origin = ((width - text_width) // 2, i * row + 2 * row // 3)
        colour = WHITE if banner.colour == RED else DARK
        cv2.putText(image, text, origin, FONT, scale, colour, 2, cv2.LINE_AA)


def text_scale(width: int) -> float:
    """Return OpenCV's font scale for a window of this width [px]: never below 11 px letters."""
    return float(np.clip(0.55 * width / 1280, 0.4, 1.0))


def fit_text(text: str, scale: float, thickness: int, width: int) -> str:
    """Return `text`, cut where it would be wider than `width` [px]."""
    if cv2.getTextSize(text, FONT, scale, thickness)[0][0] <= width:
        return text
    while text and cv2.getTextSize(text + '...', FONT, scale, thickness)[0][0] > width:
        text = text[:-1]
    return text + '...'


def _fixed(view: CameraModel, p_xy: np.ndarray, height: float) -> np.ndarray | None:
    """Project points (N, 2) [m] at `height` [m] to fixed-point pixels (N, 2), if all are seen."""
    pixels = view.project(np.column_stack([p_xy, np.full(len(p_xy), height)]))
    if not (np.abs(pixels) < 1e5).all():  # also False for NaN: behind the camera
        return None
    return np.round(pixels * (1 << SHIFT)).astype(np.int32)


def _polygon(
    image: Image,
    view: CameraModel,
    corners: np.ndarray,
    height: float,
    colour: Colour,
    thickness: int = 1,
    halo: bool = True,
) -> None:
    pixels = _fixed(view, corners, height)
    if pixels is not None:
        if halo:  # keeps it visible on light and dark things alike
            cv2.polylines(image, [pixels], True, DARK, thickness + 2, cv2.LINE_AA, SHIFT)
        cv2.polylines(image, [pixels], True, colour, thickness, cv2.LINE_AA, SHIFT)


def _dashed(image: Image, view: CameraModel, start: Point, end: Point, height: float) -> None:
    dashes = max(2, int(np.linalg.norm(end - start) / 0.01))
    fractions = np.linspace(0.0, 1.0, 2 * dashes)[:, None]
    pixels = _fixed(view, start + fractions * (end - start), height)
    if pixels is not None:
        cv2.polylines(image, list(pixels.reshape(-1, 2, 2)), False, AMBER, 1, cv2.LINE_AA, SHIFT)


def _cross(image: Image, view: CameraModel, point: Point, height: float, colour: Colour) -> None:
    arm = 0.008
    for step in ((arm, 0.0), (0.0, arm)):
        pixels = _fixed(view, np.stack([point - step, point + step]), height)
        if pixels is not None:
            cv2.polylines(image, [pixels], False, colour, 2, cv2.LINE_AA, SHIFT)
