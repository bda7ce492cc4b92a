"""Who may import what. Arrows point one way, and heavy or ROS libraries stay where they belong."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# Package -> the packages of this repository that it may import.
ARROWS = {
    'planar_arm': set(),
    'ibc_contract': set(),
    'implicit_bc': {'ibc_contract', 'planar_arm'},
    'ibc_studies': {'ibc_contract', 'planar_arm', 'implicit_bc'},
    'xarm_twin': {'ibc_contract', 'planar_arm'},
    'ibc_policy_node': {'ibc_contract', 'planar_arm', 'implicit_bc'},
    'xarm_planar_driver': {'ibc_contract', 'planar_arm'},
    'realsense_capture': {'ibc_contract', 'planar_arm', 'xarm_twin'},
    'teleop_mouse': {'ibc_contract', 'planar_arm', 'xarm_twin'},
    'demo_recorder': {'ibc_contract', 'planar_arm'},
}
ARROWS['ibc_bringup'] = set(ARROWS)
FOLDERS = {name: ROOT / 'src' / name / name for name in ARROWS}
FOLDERS['ibc_bringup'] = ROOT / 'launch' / 'ibc_bringup'

ROS = {'rclpy', 'builtin_interfaces', 'std_srvs', 'rcl_interfaces'}
LAUNCH = {'launch', 'launch_ros'}
LAUNCH_FILES = {'ibc_bringup/launch_description.py'}
ROS_FILES = {'ibc_contract/ros.py', 'ibc_contract/runner.py'}
TORCH_PACKAGES = {'implicit_bc', 'ibc_policy_node'}
UNSAFE = {'pickle', 'dill', 'cloudpickle', 'shelve', 'marshal'}

MODULES = [
    pytest.param(name, path, id=f'{name}/{path.relative_to(folder)}')
    for name, folder in FOLDERS.items()
    for path in sorted(folder.rglob('*.py'))
]


def imported(path: Path) -> set[str]:
    """Top-level names of everything that a file imports, in functions too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split('.')[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module.split('.')[0])
    return found


def is_ros(name: str) -> bool:
    return name in ROS or name.endswith('_msgs')


@pytest.mark.parametrize(('package', 'path'), MODULES)
def test_a_module_imports_only_what_its_place_allows(package, path):
    names = imported(path)
    label = f'{package}/{path.relative_to(FOLDERS[package])}'
    inside = names & set(ARROWS) - {package}
    assert inside <= ARROWS[package], f'{label} must not import {inside - ARROWS[package]}'
    if not (path.name == 'node.py' or path.name.endswith('_node.py') or label in ROS_FILES):
        assert not {n for n in names if is_ros(n)}, f'only nodes import ROS, not {label}'
    if package not in TORCH_PACKAGES:
        assert 'torch' not in names, f'{label} must not import torch'
    if label not in LAUNCH_FILES:
        assert not names & LAUNCH, f'{label} must work without launch'
    assert not names & UNSAFE, f'{label} must not read or write pickles'


def test_nothing_is_loaded_with_pickle():
    """torch.load and numpy's allow_pickle run code from the file; `weights_only` does not."""
    for package, folder in FOLDERS.items():
        for path in folder.rglob('*.py'):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and ast.unparse(node.func) == 'torch.load':
                    flags = {k.arg: ast.unparse(k.value) for k in node.keywords}
                    assert flags.get('weights_only') == 'True', f'{package}: {path}'
                if isinstance(node, ast.keyword) and node.arg == 'allow_pickle':
                    assert ast.unparse(node.value) == 'False', f'{package}: {path}'


def test_no_timer_stops_for_an_hour_when_the_clock_is_set_back_by_one():
    """rclpy's timers run on the clock that can be set, unless they are given the steady one."""
    for package, folder in FOLDERS.items():
        for path in folder.rglob('*.py'):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and ast.unparse(node.func) == 'self.create_timer':
                    given = {keyword.arg for keyword in node.keywords}
                    assert 'clock' in given, f'{package}: {path}:{node.lineno}'


def test_no_module_shadows_launch():
    """An `__init__.py` in launch/ would hide ROS's own `launch` from the repository's root."""
    assert not (ROOT / 'launch' / '__init__.py').exists()
    assert not (ROOT / 'setup.py').exists(), 'a root setup.py hides every package from colcon'


def loaded_by(code: str) -> set[str]:
    """Top-level modules that a fresh interpreter has loaded after `code`."""
    code += '\nimport sys; print("\\n".join({n.split(".")[0] for n in sys.modules}))'
    done = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, check=True, timeout=120
    )
    return set(done.stdout.split())


@pytest.mark.parametrize(
    'module',
    [
        'xarm_planar_driver.node',
        'realsense_capture.node',
        'teleop_mouse.node',
        'demo_recorder.node',
        'demo_recorder.replay_node',
        'xarm_twin.node',
        'xarm_twin.demonstrator_node',
    ],
)
def test_a_node_without_a_network_does_not_pay_for_torch(module):
    assert 'torch' not in loaded_by(f'import {module}')


def test_the_command_line_starts_without_heavy_libraries():
    heavy = {'torch', 'rclpy', 'numpy', 'cv2', 'pybullet', 'matplotlib', 'gymnasium', 'rosbags'}
    assert not heavy & loaded_by('import ibc_bringup.main; ibc_bringup.main.parser()')


def test_implicit_bc_needs_no_ros_and_no_simulator():
    assert not {'rclpy', 'pybullet'} & loaded_by('import implicit_bc.methods')
