"""A private X server with a mouse and a keyboard, for tests."""

import contextlib
import ctypes
import ctypes.util
import os
import shutil
import subprocess
import time
from collections.abc import Iterator

import pytest

SCREEN = '1500x1000'
TITLE = 'teleop_mouse'


class Desktop:
    """An Xvfb display and one persistent xdotool."""

    def __init__(self, screen: str = SCREEN) -> None:
        # Xvfb picks a free display number itself and says which.
        self._server = subprocess.Popen(
            ['Xvfb', '-displayfd', '1', '-screen', '0', f'{screen}x24', '-nolisten', 'tcp'],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        number = self._server.stdout.readline().strip()
        if not number:
            pytest.skip('Xvfb does not start here')
        self.name = f':{number}'
        self._input = subprocess.Popen(
            ['xdotool', '-'], stdin=subprocess.PIPE, text=True, env=self.env(os.environ)
        )
        self.window = ''

    def env(self, base: dict[str, str]) -> dict[str, str]:
        return {**base, 'DISPLAY': self.name}

    def find_window(self, timeout: float = 30.0) -> None:
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            done = subprocess.run(
                ['xdotool', 'search', '--onlyvisible', '--name', f'^{TITLE}$'],
                env=self.env(os.environ),
                capture_output=True,
                text=True,
            )
            if done.stdout.split():
                self.window = done.stdout.split()[0]
                return
            time.sleep(0.1)
        pytest.fail('the window did not appear')

    def window_size(self) -> tuple[int, int]:
        """Width and height of the window [px]."""
        done = subprocess.run(
            ['xdotool', 'getwindowgeometry', '--shell', self.window],
            env=self.env(os.environ),
            capture_output=True,
            text=True,
            check=True,
        )
        facts = dict(line.split('=') for line in done.stdout.split())
        return int(facts['WIDTH']), int(facts['HEIGHT'])

    def do(self, command: str) -> None:
        """Send one xdotool command, such as `mousedown 1`."""
        self._input.stdin.write(command + '\n')
        self._input.stdin.flush()

    def point(self, x: float, y: float) -> None:
        self.do(f'mousemove --window {self.window} {round(x)} {round(y)}')

    def key(self, name: str) -> None:
        self.do(f'key --window {self.window} {name}')

    def close_window(self) -> None:
        """Do what a window manager does when the person clicks the close button."""
        request_close(self.name, int(self.window))

    def stop(self) -> None:
        for process in (self._input, self._server):
            process.terminate()
            process.wait(10)


class ClientMessage(ctypes.Structure):
    """XClientMessageEvent, padded to the size of XEvent."""

    _fields_ = [
        ('type', ctypes.c_int),
        ('serial', ctypes.c_ulong),
        ('send_event', ctypes.c_int),
        ('display', ctypes.c_void_p),
        ('window', ctypes.c_ulong),
        ('message_type', ctypes.c_ulong),
        ('format', ctypes.c_int),
        ('data', ctypes.c_long * 5),
        ('pad', ctypes.c_long * 24),
    ]


def request_close(display_name: str, window: int) -> None:
    x11 = ctypes.CDLL(ctypes.util.find_library('X11'))
    x11.XOpenDisplay.restype = ctypes.c_void_p
    x11.XInternAtom.restype = ctypes.c_ulong
    x11.XInternAtom.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int]
    x11.XSendEvent.argtypes = [
        ctypes.c_void_p,
        ctypes.c_ulong,
        ctypes.c_int,
        ctypes.c_long,
        ctypes.c_void_p,
    ]
    x11.XCloseDisplay.argtypes = [ctypes.c_void_p]
    display = x11.XOpenDisplay(display_name.encode())
    event = ClientMessage()
    event.type, event.window, event.format = 33, window, 32  # ClientMessage
    event.message_type = x11.XInternAtom(display, b'WM_PROTOCOLS', 0)
    event.data[0] = x11.XInternAtom(display, b'WM_DELETE_WINDOW', 0)
    x11.XSendEvent(display, window, 0, 0, ctypes.byref(event))
    x11.XCloseDisplay(display)


@contextlib.contextmanager
def private_desktop(screen: str = SCREEN) -> Iterator[Desktop]:
    for program in ('Xvfb', 'xdotool'):
        if shutil.which(program) is None:
            pytest.skip(f'{program} is not installed')
    desktop = Desktop(screen)
    try:
        yield desktop
    finally:
        desktop.stop()
