"""Every package has the same skeleton and declares what it imports, for pip and for rosdep."""

import ast
import os
import re
import shlex
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MAKEFILE = ROOT / 'Makefile'
PACKAGES = {path.parent.name: path.parent for path in sorted(ROOT.glob('src/*/setup.py'))}
PACKAGES |= {'ibc_bringup': ROOT / 'launch', 'ibc_models': ROOT / 'models'}

# Import -> name for pip, name for rosdep. None: it is not available there.
DISTRIBUTIONS = {
    'numpy': ('numpy', 'python3-numpy'),
    'cv2': ('opencv-python', 'python3-opencv'),
    'yaml': ('PyYAML', 'python3-yaml'),
    'pydantic': ('pydantic', 'python3-pydantic'),
    'annotated_types': ('pydantic', 'python3-pydantic'),
    'mcap': ('mcap', None),
    'rosbags': ('rosbags', None),
    'lz4': ('lz4', None),
    'zstandard': ('zstandard', None),
    'pybullet': ('pybullet', None),
    'pybullet_data': ('pybullet', None),
    'ruckig': ('ruckig', None),
    'gymnasium': ('gymnasium', None),
    'tqdm': ('tqdm', None),
    'xarm': ('xarm-python-sdk', None),
    'pyrealsense2': ('pyrealsense2', None),
    'torch': ('torch', None),
    'safetensors': ('safetensors', None),
    'tensorboard': ('tensorboard', None),
    'jinja2': ('Jinja2', None),
    'matplotlib': ('matplotlib', None),
    'imageio_ffmpeg': ('imageio-ffmpeg', None),
}
ROS_ONLY = {'rclpy', 'launch', 'launch_ros', 'builtin_interfaces', 'std_srvs', 'rcl_interfaces'}
SETUP_KEYWORDS = [
    'name', 'version', 'description', 'license', 'packages', 'package_data', 'data_files',
    'install_requires', 'extras_require', 'entry_points', 'zip_safe',
]  # fmt: skip
SAME_EVERYWHERE = ['version', 'license', 'package_data', 'extras_require', 'zip_safe']


def setup_keywords(folder: Path) -> dict[str, ast.expr]:
    tree = ast.parse((folder / 'setup.py').read_text())
    call = next(
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == 'setup'
    )
    return {keyword.arg: keyword.value for keyword in call.keywords}


def requirements(folder: Path) -> set[str]:
    listed = ast.literal_eval(setup_keywords(folder)['install_requires'])
    return {entry.split('>')[0].split('=')[0].split('[')[0] for entry in listed}


def xml(folder: Path) -> ElementTree.Element:
    return ElementTree.parse(folder / 'package.xml').getroot()


def third_party(name: str) -> set[str]:
    folder = PACKAGES[name] / name
    found = set()
    for path in folder.rglob('*.py'):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.split('.')[0] for alias in node.names}
                # The only way in which a library is used without its own name in an import.
                if any(alias.name == 'torch.utils.tensorboard' for alias in node.names):
                    found.add('tensorboard')
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                found.add(node.module.split('.')[0])
    return found - set(sys.stdlib_module_names) - {name}


every_package = pytest.mark.parametrize('name', PACKAGES)


@every_package
def test_setup_py_follows_the_skeleton(name):
    keywords = setup_keywords(PACKAGES[name])
    assert [k for k in SETUP_KEYWORDS if k in keywords] == list(keywords)
    reference = setup_keywords(PACKAGES['ibc_contract'])
    for keyword in SAME_EVERYWHERE:
        assert ast.unparse(keywords[keyword]) == ast.unparse(reference[keyword]), keyword
    assert f"NAME = '{name}'" in (PACKAGES[name] / 'setup.py').read_text()


@every_package
def test_setup_cfg_puts_executables_where_ros_looks(name):
    expected = (
        f'[develop]\nscript_dir=$base/lib/{name}\n[install]\ninstall_scripts=$base/lib/{name}\n'
    )
    assert (PACKAGES[name] / 'setup.cfg').read_text() == expected


@every_package
def test_pyproject_holds_only_the_build_system(name):
    """Colcon's --symlink-install leaves pyproject.toml behind: a [project] table would be lost."""
    reference = (PACKAGES['ibc_contract'] / 'pyproject.toml').read_text()
    assert (PACKAGES[name] / 'pyproject.toml').read_text() == reference
    assert '[project]' not in reference


@every_package
def test_package_xml_agrees_with_setup_py(name):
    root, keywords = xml(PACKAGES[name]), setup_keywords(PACKAGES[name])
    reference = xml(PACKAGES['ibc_contract'])
    assert root.get('format') == '3'
    assert root.findtext('name') == name
    for field in ('version', 'description', 'license'):
        assert root.findtext(field) == ast.literal_eval(keywords[field])
    assert root.findtext('export/build_type') == 'ament_python'
    assert root.findtext('maintainer') == reference.findtext('maintainer')


@every_package
def test_ament_finds_the_package(name):
    assert (PACKAGES[name] / 'resource' / name).is_file()
    if name != 'ibc_models':
        assert (PACKAGES[name] / name / 'py.typed').is_file()
        assert (PACKAGES[name] / 'test').is_dir()
        assert not (PACKAGES[name] / 'test' / '__init__.py').exists()


@every_package
def test_every_import_is_declared(name):
    required = requirements(PACKAGES[name])
    depends = {entry.text for entry in xml(PACKAGES[name]).iter('exec_depend')}
    for module in third_party(name):
        if module in PACKAGES:
            pip_name, ros_name = module, module
        elif module in ROS_ONLY or module.endswith('_msgs'):
            pip_name, ros_name = None, module
        else:
            assert module in DISTRIBUTIONS, f'{name} imports {module}: say here where it is from'
            pip_name, ros_name = DISTRIBUTIONS[module]
        assert pip_name is None or pip_name in required, f'setup.py of {name} lacks {pip_name}'
        assert ros_name is None or ros_name in depends, f'package.xml of {name} lacks {ros_name}'


def pins() -> set[str]:
    return {
        line.split('=')[0].split('<')[0].lower()
        for line in (ROOT / 'constraints.txt').read_text().splitlines()
        if line and not line.startswith('#')
    }


def test_every_pip_requirement_is_pinned():
    for folder in PACKAGES.values():
        for requirement in requirements(folder) - set(PACKAGES):
            assert requirement.lower() in pins(), f'constraints.txt lacks {requirement}'


def test_what_make_installs_is_pinned():
    lines = re.findall(
        r'pip install --quiet -c constraints.txt \$\(ROS\) (.*)', MAKEFILE.read_text()
    )
    tools = shlex.split(lines[0])
    tools += re.search('^ROS := (.*)$', MAKEFILE.read_text(), re.MULTILINE)[1].split()
    assert {tool.split('[')[0] for tool in tools} <= pins()


def test_another_pytorch_is_installed_when_asked_for_and_stays(tmp_path):
    """With a stand-in for the environment's Python that notes what it is told."""
    shutil.copy(MAKEFILE, tmp_path)
    for file in ('constraints.txt', 'launch/setup.py', 'models/setup.py', '.venv/bin/python'):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    said = tmp_path / 'said'
    python = tmp_path / '.venv' / 'bin' / 'python'
    python.write_text(f'#!/bin/sh\necho "$*" >> {said}\n')
    python.chmod(0o755)

    def pytorch(*words):
        said.write_text('')
        environment = {'PATH': os.environ['PATH']}  # not that of a `make test` around this one
        command = ['make', '-C', str(tmp_path), 'setup', 'PYTHON=true', *words]
        subprocess.run(command, env=environment, check=True, capture_output=True)
        return [
            line.split(' --quiet ')[1] for line in said.read_text().splitlines() if 'torch' in line
        ]

    other = 'torch --index-url URL'
    assert pytorch() == ['-c constraints.txt torch']
    assert pytorch() == []
    assert pytorch(f'TORCH={other}') == ['--yes torch', f'-c constraints.txt {other}']
    assert pytorch(f'TORCH={other}') == []
    assert pytorch() == []
    assert pytorch('TORCH=torch') == ['--yes torch', '-c constraints.txt torch']


def test_the_type_checker_needs_nothing_but_what_pip_installed(tmp_path):
    """Without the extra, pyright would fetch Node.js itself, from where a firewall may stand."""
    assert 'pyright[nodejs]' in MAKEFILE.read_text()
    pytest.importorskip('pyright')
    bare = {'PATH': str(tmp_path), 'PYRIGHT_PYTHON_CACHE_DIR': str(tmp_path), 'HOME': str(tmp_path)}
    command = [sys.executable, '-m', 'pyright', '--version']
    done = subprocess.run(command, env=bare, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == []


@every_package
def test_executables_exist(name):
    entry_points = setup_keywords(PACKAGES[name]).get('entry_points')
    if entry_points is None:
        return
    for script in ast.literal_eval(entry_points)['console_scripts']:
        module, function = script.split('=')[1].strip().split(':')
        path = PACKAGES[name] / (module.replace('.', '/') + '.py')
        assert path.is_file(), script
        tree = ast.parse(path.read_text())
        assert function in {n.name for n in tree.body if isinstance(n, ast.FunctionDef)}, script
