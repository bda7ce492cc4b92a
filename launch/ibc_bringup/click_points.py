"""A picture in which a person clicks on the tip of the tool, at many places on the table."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field

import cv2
import numpy as np

from ibc_contract.errors import IbcError
from realsense_capture.calibration.pose import PoseEstimate, solve_camera_pose
from realsense_capture.source import FrameSource, Intrinsics
from teleop_mouse.window import Window, check_display

TITLE = 'ibc calibrate camera'
SCALE = 2
"""Window pixels per camera pixel: a click is as good as half a pixel."""
STRIP_PX = 64
ENTER, ESCAPE = 13, 27
FAR_OFF_PX = 3.0
"""A point that the fit puts further away than this is drawn in red."""
GREEN, RED, WHITE = (90, 220, 90), (60, 60, 240), (235, 235, 235)
HELP = (
    'Bring the tip somewhere else, also 10 cm higher, click on the middle of its lower end.'
    '   Enter: done   U: undo   Esc: leave'
)


@dataclass
class Clicks:
    """Where the tip was and where it was seen, and the pose that follows."""

    lens: Intrinsics
    positions: list[list[float]] = field(default_factory=list)
    pixels: list[tuple[float, float]] = field(default_factory=list)
    estimate: PoseEstimate | None = None
    problem: str = ''
    """Why there is no estimate."""

    def add(self, position: list[float], pixel: tuple[float, float]) -> None:
        """Take a point: position (3,) in `link_base` [m], pixel (2,)."""
        self.positions.append(position)
        self.pixels.append(pixel)
        self._solve()

    def undo(self) -> None:
        """Forget the last point; nothing happens without one."""
        del self.positions[-1:], self.pixels[-1:]
        self._solve()

    def summary(self) -> str:
        """Return how many points there are and how well they agree, in one line."""
        count = f'{len(self.pixels)} points'
        if self.estimate is None:
            return f'{count}: {self.problem}' if self.problem else count
        millimetres = self.estimate.position_std * 1e3
        return f'{count}: {self.estimate.rms_px:.1f} px off, camera +- {millimetres:.1f} mm'

    def _solve(self) -> None:
        self.estimate, self.problem = None, ''
        try:
            self.estimate = solve_camera_pose(self.positions, self.pixels, self.lens)
        except IbcError as error:
            self.problem = str(error)


def click_points(
    source: FrameSource, lens: Intrinsics, tip: Callable[[], list[float]]
) -> PoseEstimate:
    """Show what the camera sees until a person has clicked enough points; return the pose.

    Args:
        source: Open.
        lens: Of its frames.
        tip: Returns where the tip is, (3,) in `link_base` [m]; IbcError while it moves.

    Raises:
        IbcError: There is no display, or the person has left.
    """
    check_display()
    window = Window(TITLE)
    try:
        return _until_done(window, source, Clicks(lens), tip)
    finally:
        window.close()


def _until_done(
    window: Window, source: FrameSource, clicks: Clicks, tip: Callable[[], list[float]]
) -> PoseEstimate:
    seen, line = window.pointer.press_id, HELP
    rgb = np.zeros((clicks.lens.height, clicks.lens.width, 3), np.uint8)
    while True:
        frame = source.read(0.03)
        rgb = rgb if frame is None else frame.rgb
        window.show(draw(rgb, clicks, line), SCALE * rgb.shape[0])
        key = window.poll(10)
        if window.closed or key == ESCAPE:
            raise IbcError('the window was left: nothing was stored')
        if key == ENTER and clicks.estimate is not None:
            return clicks.estimate
        if key == ord('u'):
            clicks.undo()
        pointer = window.pointer
        if pointer.press_id == seen:
            continue
        seen = pointer.press_id
        try:
            clicks.add(tip(), ((pointer.x + 0.5) / SCALE - 0.5, (pointer.y + 0.5) / SCALE - 0.5))
            line = HELP
            sys.stderr.write(f'{clicks.summary()}\n')
        except IbcError as error:
            line = str(error)


def draw(rgb: np.ndarray, clicks: Clicks, line: str) -> np.ndarray:
    """Return the window's content, uint8 BGR: the picture with the points, two lines below."""
    height, width, _ = rgb.shape
    canvas = np.zeros((SCALE * height + STRIP_PX, SCALE * width, 3), np.uint8)
    bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    canvas[: SCALE * height] = cv2.resize(bgr, (SCALE * width, SCALE * height))
    off = np.zeros(len(clicks.pixels))
    if clicks.estimate is not None:
        off = clicks.estimate.residuals_px
    for (u, v), off_px in zip(clicks.pixels, off, strict=True):
        centre = (round((u + 0.5) * SCALE), round((v + 0.5) * SCALE))
        colour = RED if off_px > FAR_OFF_PX else GREEN
        cv2.drawMarker(canvas, centre, colour, cv2.MARKER_CROSS, 18, 1, cv2.LINE_AA)
    for row, text in enumerate((clicks.summary(), line)):
        place = (12, SCALE * height + 26 + 26 * row)
        cv2.putText(canvas, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.6, WHITE, 1, cv2.LINE_AA)
    return canvas
