"""The whole picture of the window, from what the node knows."""

from dataclasses import dataclass, field

import cv2
import numpy as np

from planar_arm.camera_model import CameraModel
from planar_arm.workspace import Workspace
from teleop_mouse.keys import ACTIONS
from teleop_mouse.overlay import (
    AMBER,
    DARK,
    FONT,
    GREEN,
    GREY,
    RED,
    WHITE,
    Banner,
    Marks,
    draw_banners,
    draw_marks,
    text_scale,
)
from teleop_mouse.panel import Field, Message, draw_panel, panel_height
from teleop_mouse.recorder_state import RecorderState

FROZEN_S = 1.0
"""An image older than this is not a view of the scene; nobody leads by it."""
LATE_S = 0.3
LARGEST_SCALE, SMALLEST_SCALE = 2.0, 0.5
FRAME = (20, 90)
"""What title bar, borders and the desktop's own bars may take of a screen (W, H) [px]."""
SMALL_SCREEN = (1366, 768)


@dataclass(frozen=True)
class PolicyState:
    """What the policy node says of itself; an empty text: nothing."""

    text: str = ''
    enabled: bool = False
    well: bool = True
    """Nothing keeps it from acting in time."""


@dataclass(frozen=True)
class Screen:
    """One moment of the window."""

    rgb: np.ndarray | None = None
    """Newest camera image, (h, w, 3) uint8 RGB."""
    view: CameraModel | None = None
    """Camera at the resolution of the display."""
    marks: Marks = field(default_factory=Marks)
    frame_age_s: float = np.inf
    """Since the newest frame was taken [s]."""
    frame_rate_hz: float = 0.0
    speed: float | None = None
    """How fast the tool is led [m/s]; None while it is not."""
    recorder: RecorderState = field(default_factory=RecorderState)
    arm_trouble: str = ''
    """Why the driver has stopped the arm; empty while it has not."""
    arm_warning: str = ''
    """What the driver warns of, as of a tool that does not follow."""
    policy: PolicyState = field(default_factory=PolicyState)
    message: Message = field(default_factory=Message)
    offered: frozenset[str] = ACTIONS
    """Actions of the keys that can do something now."""


def fitting_scale(image: tuple[int, int], display: tuple[int, int] | None) -> float:
    """Return the window pixels per image pixel at which image and bar fit on the display.

    Args:
        image: Size (W, H) [px].
        display: Size (W, H) [px]; None, which is unknown, counts as a small laptop's.
    """
    width, height = (
        size - frame for size, frame in zip(display or SMALL_SCREEN, FRAME, strict=True)
    )
    for scale in np.arange(LARGEST_SCALE, SMALLEST_SCALE, -0.05):
        wide, high = round(image[0] * scale), round(image[1] * scale)
        if wide <= width and high + panel_height(wide) <= height:
            return float(scale)
    return SMALLEST_SCALE


def render(screen: Screen, size: tuple[int, int], workspace: Workspace) -> np.ndarray:
    """Draw the window's content, (H + bar, W, 3) uint8 BGR; the image takes `size` (W, H) [px]."""
    width, height = size
    if screen.rgb is None:
        image = _no_camera(width, height)
    else:
        interpolation = cv2.INTER_LINEAR if screen.rgb.shape[1] < width else cv2.INTER_AREA
        bgr = cv2.cvtColor(screen.rgb, cv2.COLOR_RGB2BGR)
        image = cv2.resize(bgr, size, interpolation=interpolation)
        if screen.view is not None:
            draw_marks(image, screen.view, workspace, screen.marks)
    draw_banners(image, _banners(screen))
    fields = (_recorder(screen), _camera(screen), _arm(screen), _mouse(screen), *_policy(screen))
    message = screen.message
    if not message.text and not screen.policy.well:
        message = Message(f'policy: {screen.policy.text}', colour=AMBER)
    elif not message.text and screen.recorder.task:
        message = Message(f'task: {screen.recorder.task}', colour=GREY)
    return np.vstack([image, draw_panel(width, fields, message, screen.offered)])


def _banners(screen: Screen) -> list[Banner]:
    banners = []
    if screen.rgb is not None and screen.frame_age_s > FROZEN_S:
        banners.append(Banner(f'camera frozen for {screen.frame_age_s:.0f} s', RED))
    if screen.arm_trouble:
        banners.append(Banner(f'arm {screen.arm_trouble} (key C)', RED))
    elif screen.arm_warning:
        banners.append(Banner(f'arm: {screen.arm_warning}', AMBER))
    if screen.recorder.trouble:
        colour = AMBER if screen.recorder.recording else RED
        banners.append(Banner(f'recorder: {screen.recorder.trouble}', colour))
    return banners


def _recorder(screen: Screen) -> Field:
    recorder = screen.recorder
    if not recorder.text:
        return Field('recorder', 'not running', GREY, share=6)
    colour = RED if recorder.recording or recorder.trouble else WHITE
    return Field('recorder', recorder.text, colour, lamp=recorder.recording, share=6)


def _camera(screen: Screen) -> Field:
    age = screen.frame_age_s
    if screen.rgb is None:
        return Field('camera', 'no image', RED, share=4)
    colour = WHITE if age < LATE_S else AMBER if age < FROZEN_S else RED
    return Field(
        'camera', f'{screen.frame_rate_hz:.0f} Hz  {min(age, 99) * 1e3:.0f} ms', colour, share=4
    )


def _arm(screen: Screen) -> Field:
    if screen.arm_trouble:
        return Field('arm', 'stopped', RED, share=4)
    if screen.marks.setpoint is None:
        return Field('arm', 'no setpoint', RED, share=4)
    x, y = screen.marks.setpoint
    return Field('arm', f'{x:.3f}, {y:.3f} m', share=4)


def _mouse(screen: Screen) -> Field:
    if screen.speed is None:
        return Field('mouse', 'hold to lead', GREY, share=5)
    return Field('mouse', f'leading {screen.speed:.2f} m/s', GREEN, lamp=True, share=5)


def _policy(screen: Screen) -> tuple[Field, ...]:
    """The field of the policy, where there is one."""
    policy = screen.policy
    if not policy.text:
        return ()
    colour = AMBER if not policy.well else GREEN if policy.enabled else GREY
    text = 'acting' if policy.enabled else 'watching'
    return (Field('policy', text, colour, lamp=policy.enabled, share=4),)


def _no_camera(width: int, height: int) -> np.ndarray:
    image = np.full((height, width, 3), DARK, np.uint8)
    text, scale = 'waiting for the camera', 1.4 * text_scale(width)
    text_width = cv2.getTextSize(text, FONT, scale, 1)[0][0]
    origin = ((width - text_width) // 2, height // 2)
    cv2.putText(image, text, origin, FONT, scale, GREY, 1, cv2.LINE_AA)
    return image
