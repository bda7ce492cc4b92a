"""The xArm6 of `pybullet_data` with the cylinder tool on its flange, as a URDF file."""

import atexit
import math
import os
import shutil
import tempfile
import xml.etree.ElementTree as ET
from functools import cache
from pathlib import Path

import pybullet_data

from planar_arm.xarm6 import TOOL_LENGTH, TOOL_MASS, TOOL_RADIUS

TCP_LINK = 'link_tcp'
FLANGE_LINK = 'link6'


@cache
def xarm6_with_tool_urdf() -> str:
    """Write the arm with its tool to a temporary file, once per process, and return its path.

    Links keep the order of the vendor's file, so PyBullet's joints 1 to 6 are `joint1` to `joint6`
    and link 7 is `link_tcp`: its origin is the tool's lower end, its z axis points out of the tool.
    """
    return _write(_with_tool(_vendor_model()), 'xarm6_with_tool.urdf')


@cache
def xarm6_skeleton_urdf(tool_length: float = TOOL_LENGTH) -> str:
    """Write the arm without shapes, which loads fast and is enough for kinematics.

    `tool_length` is from the flange to `link_tcp` [m].
    """
    root = _with_tool(_vendor_model(), tool_length)
    for link in root.iter('link'):
        for shape in [*link.findall('visual'), *link.findall('collision')]:
            link.remove(shape)
    return _write(root, 'xarm6_skeleton.urdf')


def _vendor_model() -> ET.Element:
    folder = Path(pybullet_data.getDataPath()) / 'xarm'
    root = ET.parse(folder / 'xarm6_robot.urdf').getroot()
    for mesh in root.iter('mesh'):
        name = mesh.get('filename', '').removeprefix('package://')
        mesh.set('filename', str(folder / name))
    for origin in root.iter('origin'):
        # The file rounds pi/2 to 1.5708, which tilts the tool by some microradians per joint.
        turns = [_exact(float(text)) for text in origin.get('rpy', '0 0 0').split()]
        origin.set('rpy', ' '.join(repr(turn) for turn in turns))
    return root


def _exact(angle: float) -> float:
    quarter = math.copysign(math.pi / 2, angle)
    return quarter if abs(angle - quarter) < 1e-5 else angle


def _with_tool(root: ET.Element, length: float = TOOL_LENGTH) -> ET.Element:
    shape = f"""
      <geometry><cylinder radius="{TOOL_RADIUS}" length="{length}"/></geometry>
      <origin rpy="0 0 0" xyz="0 0 {-length / 2}"/>"""
    across = TOOL_MASS * (3 * TOOL_RADIUS**2 + length**2) / 12
    along = TOOL_MASS * TOOL_RADIUS**2 / 2
    root.append(
        ET.fromstring(f"""
    <link name="{TCP_LINK}">
      <visual>{shape}<material name="White"/></visual>
      <collision>{shape}</collision>
      <inertial>
        <origin rpy="0 0 0" xyz="0 0 {-length / 2}"/>
        <mass value="{TOOL_MASS}"/>
        <inertia ixx="{across}" ixy="0" ixz="0" iyy="{across}" iyz="0" izz="{along}"/>
      </inertial>
    </link>""")
    )
    root.append(
        ET.fromstring(f"""
    <joint name="joint_tcp" type="fixed">
      <parent link="{FLANGE_LINK}"/><child link="{TCP_LINK}"/>
      <origin rpy="0 0 0" xyz="0 0 {length}"/>
    </joint>""")
    )
    return root


def _write(root: ET.Element, name: str) -> str:
    folder = tempfile.mkdtemp(prefix='planar_arm_')
    atexit.register(_remove, folder, os.getpid())
    path = os.path.join(folder, name)
    ET.ElementTree(root).write(path)
    return path


def _remove(folder: str, owner: int) -> None:
    if os.getpid() == owner:  # a forked worker must not take the parent's file away
        shutil.rmtree(folder, ignore_errors=True)
