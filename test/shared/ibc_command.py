"""The `ibc` command as a process, on a ROS graph of its own and without a display."""

import subprocess
import sys

IBC = [sys.executable, '-m', 'ibc_bringup.main']
TIMEOUT_S = 400


def headless(env: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in env.items() if name != 'DISPLAY'}


def ibc(env: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command that has to succeed."""
    done = subprocess.run(
        [*IBC, *words], env=headless(env), capture_output=True, text=True, timeout=TIMEOUT_S
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done
