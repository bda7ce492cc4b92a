"""What `ibc doctor` looks at: one function per check, each with a remedy for what it finds."""

import ctypes
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ibc_bringup.ports import is_free, twin_ports
from ibc_bringup.system_needs import LIBRARIES, NEWEST_PYTHON, OLDEST_PYTHON
from ibc_bringup.up import ros_environment
from ibc_contract.errors import IbcError

Status = Literal['ok', 'warn', 'fail']

MODULES = (
    'rclpy', 'numpy', 'cv2', 'pydantic', 'yaml', 'mcap', 'rosbags', 'pybullet', 'gymnasium',
    'xarm', 'pyrealsense2', 'torch', 'safetensors', 'tensorboard', 'matplotlib', 'jinja2',
    'imageio_ffmpeg', 'ruckig',
)  # fmt: skip
INSTALL = 'run: make setup (with ROS from apt: the pip line of the README)'
ONLY_ROBOT = 'needed on the robot only'
PROBE_TIMEOUT_S = 60.0
IMPORT_PROBE = """
import importlib, json, sys
problems = {}
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except Exception as error:
        problems[name] = f'{type(error).__name__}: {error}'.splitlines()[0]
print(json.dumps(problems))
"""
EGL_PROBE = """
from xarm_twin.camera import TwinCamera
camera = TwinCamera('push_red', renderer='egl')
camera.close()
"""


@dataclass(frozen=True)
class Finding:
    """The outcome of one check."""

    name: str
    status: Status
    detail: str
    remedy: str = ''


def python_version() -> Finding:
    """Check the interpreter's version."""
    text = platform.python_version()
    if OLDEST_PYTHON <= sys.version_info[:2] <= NEWEST_PYTHON:
        return Finding('Python', 'ok', text)
    return Finding('Python', 'fail', text, 'use Python 3.11 to 3.14: make PYTHON=python3.12')


def python_modules() -> Finding:
    """Import what the stack needs, in a process of its own."""
    done = _probe(IMPORT_PROBE, *MODULES)
    if done is None or done.returncode != 0:
        return Finding('Python modules', 'fail', _last_line(done), INSTALL)
    problems = json.loads(done.stdout.splitlines()[-1])
    if problems:
        detail = '; '.join(f'{name}: {problem}' for name, problem in problems.items())
        lacks_library = all('.so' in problem for problem in problems.values())
        remedy = 'install the system libraries first' if lacks_library else INSTALL
        return Finding('Python modules', 'fail', detail, remedy)
    return Finding('Python modules', 'ok', f'{len(MODULES)} modules import')


def system_libraries() -> Finding:
    """Look for the shared libraries that wheels expect from the system."""
    missing = [name for name in LIBRARIES if not _loads(name)]
    if not missing:
        return Finding('System libraries', 'ok', f'{len(LIBRARIES)} found')
    packages = ' '.join(LIBRARIES[name][0] for name in missing)
    return Finding(
        'System libraries', 'fail', ', '.join(missing), f'sudo apt-get install {packages}'
    )


def display() -> Finding:
    """Ask the display that the mouse window would open on."""
    from teleop_mouse.window import REMEDY, check_display

    try:
        check_display()
    except IbcError as error:
        problem = str(error).removesuffix(f'; {REMEDY}')
        return Finding('Display', 'warn', f'{problem}; only leading by mouse needs one', REMEDY)
    return Finding('Display', 'ok', f'DISPLAY={os.environ["DISPLAY"]}')


def egl_renderer() -> Finding:
    """Draw with EGL in a process of its own: a broken driver takes its process down."""
    done = _probe(EGL_PROBE)
    if done is not None and done.returncode == 0:
        return Finding('EGL renderer', 'ok', 'works')
    return Finding(
        'EGL renderer',
        'warn',
        f'{_last_line(done)}; the slower TinyRenderer is used',
        'sudo apt-get install libegl1 libgl1-mesa-dri',
    )


def ports() -> Finding:
    """Check that the twin's default ports are free."""
    from ibc_bringup.stacks import PORTS

    default = {argument.name: int(argument.default_text) for argument in PORTS}
    wanted = twin_ports(*default.values())
    taken = [port for port in wanted if not is_free(port)]
    if not taken:
        return Finding('Ports', 'ok', f"the twin's are free: {', '.join(map(str, wanted))}")
    return Finding(
        'Ports',
        'warn',
        f'in use: {", ".join(map(str, taken))}',
        'stop the other twin, or choose with control_port:=, report_port_base:=, scene_port:=, '
        'fault_port:=',
    )


def disk_space() -> Finding:
    """Check the space left where bags are written: a minute takes about 15 MB."""
    free = shutil.disk_usage(Path.cwd()).free / 1e9
    status: Status = 'fail' if free < 0.5 else 'warn' if free < 5 else 'ok'
    return Finding(
        'Disk', status, f'{free:.1f} GB free here', '' if status == 'ok' else 'make room'
    )


def shared_memory() -> Finding:
    """Check /dev/shm: Fast DDS puts 16 MB per node there, and a full one kills nodes."""
    try:
        size = shutil.disk_usage('/dev/shm').total / 1e6
    except OSError:
        return Finding('Shared memory', 'fail', '/dev/shm is missing', 'mount a tmpfs there')
    if size >= 250:
        return Finding('Shared memory', 'ok', f'/dev/shm has {size:.0f} MB')
    return Finding(
        'Shared memory', 'warn', f'/dev/shm has {size:.0f} MB', 'docker: --shm-size=512m'
    )


def real_time() -> Finding:
    """Check whether the driver may ask for a real-time priority."""
    soft, _ = resource.getrlimit(resource.RLIMIT_RTPRIO)
    if soft != 0 or os.geteuid() == 0:
        return Finding('Real-time priority', 'ok', 'permitted')
    return Finding(
        'Real-time priority',
        'warn',
        'not permitted: fine in the twin, not on the arm',
        'add "@YOURGROUP - rtprio 80" to /etc/security/limits.d/, log in again',
    )


def ros_loopback() -> Finding:
    """Send an image from one ROS participant to another on this machine."""
    done = _run([sys.executable, '-m', 'ibc_bringup.loopback_node'])
    if done is not None and done.returncode == 0:
        return Finding('ROS 2 loopback', 'ok', 'nodes on this machine hear each other')
    return Finding(
        'ROS 2 loopback',
        'fail',
        _last_line(done),
        'check ROS_DOMAIN_ID, RMW_IMPLEMENTATION, a firewall on lo',
    )


def camera(parameters: Mapping[str, object] | None = None) -> Finding:
    """Look for the RealSense camera that these parameters of the camera node ask for."""
    command = [sys.executable, '-m', 'realsense_capture.probe', json.dumps(parameters or {})]
    done = _run(command)  # in a process of its own: librealsense may crash
    if done is None or done.returncode != 0:
        detail = f'{_last_line(done)}; {ONLY_ROBOT}'
        return Finding('Camera', 'warn', detail, 'see docs/camera.md')
    return Finding('Camera', 'ok', done.stdout.strip())


def model_bundles() -> Finding:
    """Look for trained bundles."""
    from ibc_bringup.bundles import read_cards

    cards, problems = read_cards()
    if problems:
        detail = '; '.join(str(problem) for problem in problems)
        return Finding('Models', 'warn', detail, 'remove that model, or train it again')
    if cards:
        return Finding('Models', 'ok', ', '.join(card.name for card in cards))
    return Finding('Models', 'warn', 'no bundle found', 'train one: ibc loop, or set IBC_MODELS')


CHECKS: tuple[Callable[[], Finding], ...] = (
    python_version, system_libraries, python_modules, display, egl_renderer, ports, disk_space,
    shared_memory, real_time, ros_loopback, camera, model_bundles,
)  # fmt: skip


def run_checks() -> Iterator[Finding]:
    """Run every check in order; yield each finding when it is known."""
    for check in CHECKS:
        try:
            yield check()
        except ImportError as error:  # this is what the doctor is asked about: go on
            name = check.__name__.replace('_', ' ').capitalize()
            yield Finding(name, 'fail', f'cannot be checked: {error}', 'see Python modules')


def _probe(code: str, *words: str) -> subprocess.CompletedProcess[str] | None:
    return _run([sys.executable, '-c', code, *words])


def _run(command: list[str]) -> subprocess.CompletedProcess[str] | None:
    """Run a command; None when it did not come back in time."""
    try:
        return subprocess.run(
            command,
            env=ros_environment(),
            capture_output=True,
            text=True,
            timeout=PROBE_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None


def _last_line(done: subprocess.CompletedProcess[str] | None) -> str:
    if done is None:
        return f'no answer within {PROBE_TIMEOUT_S:.0f} s'
    lines = (done.stderr.strip() or done.stdout.strip()).splitlines()
    return lines[-1] if lines else f'ended with code {done.returncode}'


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True
