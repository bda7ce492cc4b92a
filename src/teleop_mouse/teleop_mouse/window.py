"""The OpenCV window: the only place that touches a display, from one thread."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Mapping

import cv2
import numpy as np

from ibc_contract.errors import IbcError
from teleop_mouse.pointer import Pointer

X_TCP_BASE_PORT = 6000
REMEDY = 'log in on a desktop, or use ssh -X, or Xvfb for tests'
WELCOME_TIMEOUT_S = 10.0
REFUSED = 3
SIZE_OFFSET = 20
"""Of width and height within xcb_screen_t: after the window, the colours and the event mask."""
# Asks through the library that OpenCV's Qt connects with, so with the same cookies. A server whose
# last client has just left begins anew and hangs up on everybody meanwhile (50 ms for Xvfb): hence
# the tries, and the wait at the end, for the window is the next to connect.
WELCOME_PROBE = f"""
import ctypes, time
xcb = ctypes.CDLL('libxcb.so.1')
xcb.xcb_connect.restype = ctypes.c_void_p
xcb.xcb_connection_has_error.argtypes = xcb.xcb_disconnect.argtypes = [ctypes.c_void_p]
class Screens(ctypes.Structure):
    _fields_ = [('first', ctypes.c_void_p), ('rem', ctypes.c_int), ('index', ctypes.c_int)]
xcb.xcb_get_setup.restype = ctypes.c_void_p
xcb.xcb_get_setup.argtypes = xcb.xcb_setup_roots_iterator.argtypes = [ctypes.c_void_p]
xcb.xcb_setup_roots_iterator.restype = Screens
for pause in (0.0, 0.2, 0.5):
    time.sleep(pause)
    connection = xcb.xcb_connect(None, None)
    refused = xcb.xcb_connection_has_error(connection)
    if not refused:
        screen = xcb.xcb_setup_roots_iterator(xcb.xcb_get_setup(connection)).first
        print(*(ctypes.c_uint16 * 2).from_address(screen + {SIZE_OFFSET}), flush=True)
    xcb.xcb_disconnect(connection)
    if not refused:
        time.sleep(0.3)
        raise SystemExit(0)
raise SystemExit({REFUSED})
"""


def check_display(environment: Mapping[str, str] = os.environ) -> tuple[int, int] | None:
    """Return the size (W, H) [px] of the screen; None where libxcb cannot be asked.

    Raises:
        IbcError: No X server lets us in: OpenCV's window would abort the process.
    """
    platform = environment.get('QT_QPA_PLATFORM', 'xcb')
    if not platform.startswith('xcb'):
        raise IbcError(f'no window: QT_QPA_PLATFORM={platform}, but OpenCV only has xcb; unset it')
    display = environment.get('DISPLAY', '')
    if not display:
        raise IbcError(f'no window: DISPLAY is not set; {REMEDY}')
    match = re.fullmatch(r'(?P<host>.*):(?P<number>\d+)(\.\d+)?', display)
    if match is None:
        raise IbcError(f'no window: DISPLAY={display!r} is not like :0 or host:10.0')
    if not _answers(match['host'].removeprefix('unix'), int(match['number'])):
        raise IbcError(f'no window: no X server answers at DISPLAY={display}; {REMEDY}')
    return _be_welcome(display, environment)


def _be_welcome(display: str, environment: Mapping[str, str]) -> tuple[int, int] | None:
    """Ask in a process of its own: nothing but its end stops xcb_connect to a silent server."""
    try:
        done = subprocess.run(
            [sys.executable, '-I', '-S', '-c', WELCOME_PROBE],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=WELCOME_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise IbcError(
            f'no window: what answers at DISPLAY={display} does not speak like an X server; '
            f'{REMEDY}'
        ) from None
    if done.returncode == REFUSED:  # any other failure, such as a missing libxcb, tells nothing
        raise IbcError(
            f'no window: the X server at DISPLAY={display} does not let this user in; set '
            'XAUTHORITY to the file with its cookie, or allow the user with xhost'
        )
    size = re.fullmatch(r'(\d+) (\d+)\n', done.stdout)
    return (int(size[1]), int(size[2])) if size else None


def _answers(host: str, number: int) -> bool:
    if host:
        tries: list[tuple[int, object]] = [(socket.AF_INET, (host, X_TCP_BASE_PORT + number))]
    else:
        path = f'/tmp/.X11-unix/X{number}'
        tries = [(socket.AF_UNIX, path), (socket.AF_UNIX, f'\0{path}')]
    for family, address in tries:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.settimeout(2.0)
            try:
                probe.connect(address)  # type: ignore[arg-type]
            except OSError:
                continue
            return True
    return False


class Window:
    """A window of fixed size whose pixels are the image's pixels.

    Create, use and close it in the same thread; only `pointer` may be read from others.
    """

    def __init__(self, title: str) -> None:
        """Open the window; call `check_display` first."""
        self.pointer = Pointer()
        self._title = title
        self._image_height = 0
        # OpenCV's workers spin while they wait for the next image, at the cost of everything else.
        cv2.setNumThreads(1)
        # Without GUI_NORMAL, Qt's tool bar shifts every mouse position by 40 pixels.
        cv2.namedWindow(title, cv2.WINDOW_GUI_NORMAL | cv2.WINDOW_AUTOSIZE)
        cv2.setMouseCallback(title, self._on_mouse)

    def show(self, canvas: np.ndarray, image_height: int) -> None:
        """Show `canvas` (H, W, 3) uint8 BGR, whose upper `image_height` rows take the mouse."""
        self._image_height = image_height
        cv2.imshow(self._title, canvas)

    def poll(self, milliseconds: int) -> int | None:
        """Handle events for so long; return the code of a pressed key, or None."""
        code = cv2.waitKey(milliseconds)
        return None if code < 0 else code & 0xFF

    @property
    def closed(self) -> bool:
        """Whether the person has closed the window."""
        try:
            return cv2.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) < 1
        except cv2.error:  # OpenCV's Qt is gone together with its last window
            return True

    def close(self) -> None:
        """Close the window; harmless when the person did."""
        self.pointer = Pointer(press_id=self.pointer.press_id)
        if not self.closed:
            cv2.destroyWindow(self._title)
            cv2.waitKey(1)

    def _on_mouse(self, event: int, x: int, y: int, flags: int, _data: object) -> None:
        last = self.pointer
        pressed, press_id = last.pressed, last.press_id
        if event in (cv2.EVENT_LBUTTONDOWN, cv2.EVENT_LBUTTONDBLCLK):
            if 0 <= y < self._image_height:
                pressed, press_id = True, press_id + 1
        elif event == cv2.EVENT_LBUTTONUP or not flags & cv2.EVENT_FLAG_LBUTTON:
            # The flag is the second way to learn of a release that happened outside the window.
            pressed = False
        self.pointer = Pointer(x, y, pressed, press_id)
