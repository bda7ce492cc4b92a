"""Say which system packages are missing before pip downloads anything.

Run by `make setup`. Needs nothing but the standard library and the file with the list.
"""

import ctypes
import importlib.util
import shutil
import sys
import sysconfig
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'launch'))
from ibc_bringup.system_needs import LIBRARIES, NEWEST_PYTHON, OLDEST_PYTHON

NEWEST_WITH_PYBULLET_WHEEL = (3, 11)


def is_missing(library: str) -> bool:
    """Tell whether the dynamic loader cannot find `library`."""
    try:
        ctypes.CDLL(library)
    except OSError:
        return True
    return False


def main() -> int:
    """Return 0 if the machine can run the stack, 1 after one line that names what to install."""
    version = sys.version_info[:2]
    if not OLDEST_PYTHON <= version <= NEWEST_PYTHON:
        spelled = '.'.join(map(str, version))
        sys.stderr.write(
            f'Python {spelled} is not supported: use 3.11 to 3.14 (make PYTHON=python3.12)\n'
        )
        return 1
    missing = [LIBRARIES[name] for name in LIBRARIES if is_missing(name)]
    if importlib.util.find_spec('ensurepip') is None:
        missing.append(('python3-venv', 'no virtual environment can be made'))
    if version > NEWEST_WITH_PYBULLET_WHEEL:
        if shutil.which('g++') is None:
            missing.append(('build-essential', 'pybullet cannot be compiled'))
        if not Path(sysconfig.get_path('include'), 'Python.h').is_file():
            missing.append(('python3-dev', 'pybullet cannot be compiled'))
    if missing:
        packages = ' '.join(package for package, _ in missing)
        reasons = '; '.join(f'{package}: {reason}' for package, reason in missing)
        sys.stderr.write(
            f'missing system packages ({reasons}). Run: sudo apt-get install {packages}\n'
        )
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
