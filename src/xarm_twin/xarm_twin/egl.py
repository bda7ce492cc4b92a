"""PyBullet's EGL renderer: OpenGL without a display, on a GPU or in software."""

import contextlib
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from typing import Literal

from ibc_contract.errors import IbcError
from planar_arm.bullet import pybullet

RendererChoice = Literal['auto', 'egl', 'tiny']

_LOG = logging.getLogger(__name__)

_SOFTWARE = ('llvmpipe', 'softpipe', 'swrast')
_PROBE = """
import pybullet, sys
from xarm_twin.egl import load_egl
client = pybullet.connect(pybullet.DIRECT)
if not load_egl(client):
    sys.exit(1)
pybullet.getCameraImage(16, 16, renderer=pybullet.ER_BULLET_HARDWARE_OPENGL)
"""
_PROBE_TIMEOUT = 60.0


def choose_renderer(choice: RendererChoice) -> Literal['egl', 'tiny']:
    """Settle `auto`, and log why.

    EGL on a GPU is the fastest. EGL in software is slower than TinyRenderer for these few bodies.

    Raises:
        IbcError: EGL is asked for and does not work, or the choice is unknown.
    """
    match choice:
        case 'tiny':
            return 'tiny'
        case 'egl':
            if _egl() is not None:
                return 'egl'
            raise IbcError(
                'EGL does not work here (Debian packages libegl1 and libgl1-mesa-dri, or a GPU '
                'driver, are missing): use renderer auto or tiny'
            )
        case 'auto':
            device = _egl()
            if device is None:
                _LOG.info('renderer tiny: EGL does not work here')
                return 'tiny'
            if any(name in device for name in _SOFTWARE):
                _LOG.info('renderer tiny: EGL has no GPU here, only %s', device)
                return 'tiny'
            _LOG.info('renderer egl: on %s', device)
            return 'egl'
    raise IbcError(f'unknown renderer {choice!r}; known: auto, egl, tiny')


def load_egl(client: int) -> bool:
    """Give a PyBullet client the EGL renderer; say whether there is one."""
    spec = find_spec('eglRenderer')
    if spec is None or spec.origin is None:
        return False
    plugin = pybullet.loadPlugin(spec.origin, '_eglRendererPlugin', physicsClientId=client)
    return plugin >= 0


@contextlib.contextmanager
def quiet_stdout() -> Iterator[None]:
    """Send what native code prints to standard error: the plugin reports every window it opens."""
    sys.stdout.flush()
    saved = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        os.dup2(saved, 1)
        os.close(saved)


@cache
def _egl() -> str | None:
    """Name of the device that EGL renders on, or None if it does not work.

    Tried in a process of its own: where EGL finds no device, the plugin ends the process.
    """
    try:
        probe = subprocess.run(
            [sys.executable, '-c', _PROBE], capture_output=True, text=True, timeout=_PROBE_TIMEOUT
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    if probe.returncode != 0:
        return None
    names = [line for line in probe.stdout.splitlines() if line.startswith('GL_RENDERER=')]
    return names[0].removeprefix('GL_RENDERER=') if names else 'an unnamed device'
