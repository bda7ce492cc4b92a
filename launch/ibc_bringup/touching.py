"""What calibrations by touch share: the tip of an arm, the person who moves it, noted numbers."""

import argparse
import contextlib
import math
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ibc_bringup.parameter_files import config_files, node_parameters
from ibc_contract.ending_signals import undisturbed
from ibc_contract.errors import IbcError
from planar_arm.errors import BadFile
from planar_arm.kinematics import Xarm6Kinematics
from planar_arm.strict_yaml import read_yaml
from planar_arm.tool import DEFAULT_TOOL, Tool
from xarm_planar_driver.hand_guiding import HandGuidedArm

MOVING = 0.02
"""A joint that turns faster than this is not at rest [rad/s]."""


class ArmTip:
    """The tip of the tool of an arm that is moved by hand; it is asked, never commanded."""

    def __init__(
        self, ip: str, control_port: int, pin: float = 0.0, tool: Tool = DEFAULT_TOOL
    ) -> None:
        """Connect; a pin in the middle of the tool's lower end may reach `pin` [m] further."""
        self._arm = HandGuidedArm(ip, control_port)
        self._tool = tool
        self._kinematics = Xarm6Kinematics(tool=tool)
        self._pin = pin
        self._arm.connect()

    def position(self) -> list[float]:
        """Return where the tip is in `link_base`, (3,) [m]; IbcError while it moves."""
        return self._tip_and_axis()[0].tolist()

    def contact(self) -> list[float]:
        """Return the tip (3,) [m] at the height of what touches; IbcError while it moves.

        A tool that is held askew touches with the edge of its lower end, not with the middle.
        """
        tip, axis = self._tip_and_axis()
        edge = 0.0 if self._pin else self._tool.radius * math.hypot(axis[0], axis[1])
        return (tip - (0.0, 0.0, edge)).tolist()

    def free(self) -> None:
        """Let the arm be moved by hand."""
        self._arm.free(self._tool)

    def hold(self) -> None:
        """Let it stay where it is."""
        self._arm.hold()

    def close(self) -> None:
        """Disconnect."""
        self._arm.disconnect()
        self._kinematics.close()

    def _tip_and_axis(self) -> tuple[np.ndarray, np.ndarray]:
        q, velocities = self._arm.joint_states()
        if np.abs(velocities).max() > MOVING:
            raise IbcError('the arm still moves: wait until it is at rest')
        pose = self._kinematics.forward(q)
        axis = _tool_axis(pose.quaternion)
        return pose.position + self._pin * axis, axis


@contextlib.contextmanager
def freed(tip: ArmTip) -> Iterator[None]:
    """Let the arm be moved by hand once a person holds it, and hold it however this ends."""
    ask_person('Hold the arm, it is let go: then Enter ')
    try:  # from here on: an interruption must not leave it free
        tip.free()
        yield
    finally:
        with undisturbed():
            tip.hold()


def check_touch_options(arguments: argparse.Namespace) -> None:
    """Refuse what `add_touch_options` has for an arm where there is none."""
    for name, is_given in (('--free', arguments.free), ('--pin-mm', arguments.pin_mm)):
        if is_given and not arguments.robot_ip:
            raise IbcError(f'{name} is of an arm that hands move: give --robot-ip')


def _tool_axis(quaternion: np.ndarray) -> np.ndarray:
    """Direction of the tool in `link_base`: the z axis of a frame turned by `quaternion` xyzw."""
    x, y, z, w = quaternion
    return np.array([2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)])


def site_tool(site: Path) -> Tool:
    """Return the tool that the site's `driver.yaml` tells of."""
    if not site.is_dir():
        raise IbcError(f'no folder {site}: make it, copies of our YAML files go there too')
    path = config_files(str(site))['driver']
    given = node_parameters(path, 'xarm_planar_driver')
    try:
        return Tool(
            float(str(given.get('tool_length', DEFAULT_TOOL.length))),
            float(str(given.get('tool_mass', DEFAULT_TOOL.mass))),
        )
    except ValueError as error:
        raise IbcError(f'{path}: tool_length, tool_mass: {error}') from None


def ask_person(line: str) -> str:
    """Ask on the terminal."""
    sys.stderr.write(line)
    sys.stderr.flush()
    answer = sys.stdin.readline()
    if not answer:
        raise IbcError('nobody answers: run it in a terminal, or give noted numbers in a file')
    return answer


def read_key(path: Path, key: str) -> Any:
    """Return what a YAML file has under `key`; IbcError without it."""
    try:
        data = read_yaml(path)
    except BadFile as error:
        raise IbcError(f'{path}: {error}') from None
    if not isinstance(data, Mapping) or key not in data:
        raise IbcError(f'{path} has no {key}:')
    return data[key]


def read_numbers(path: Path, values: Any, count: int) -> list[float]:
    """Return `values` of a file as `count` finite numbers; IbcError if they are not."""
    try:
        numbers = [float(value) for value in values]
    except (TypeError, ValueError):
        numbers = []
    if len(numbers) != count or not np.isfinite(numbers).all():
        raise IbcError(f'{path}: {values} is not {count} numbers')
    return numbers
