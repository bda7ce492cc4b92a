"""No container engine in CI: at least the files of docker/ agree with the repository."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ibc_bringup.system_needs import LIBRARIES

ROOT = Path(__file__).resolve().parents[1]
DOCKER = ROOT / 'docker'
SETUP_FILES = [*ROOT.glob('src/*/setup.py'), ROOT / 'launch' / 'setup.py']


@pytest.fixture
def dockerfile() -> str:
    return (DOCKER / 'Dockerfile').read_text().replace('\\\n', ' ')


@pytest.fixture
def services() -> dict:
    return yaml.safe_load((DOCKER / 'compose.yaml').read_text())['services']


def test_what_the_dockerfile_copies_exists(dockerfile):
    copies = [line.split()[1:] for line in dockerfile.splitlines() if line.startswith('COPY')]
    for words in copies:
        if any(word.startswith('--from=') for word in words):
            continue
        *sources, _ = [word for word in words if not word.startswith('--')]
        for source in sources:
            assert (ROOT / source).exists(), source
    ignored = (DOCKER / 'Dockerfile.dockerignore').read_text().splitlines()
    assert not {'src', 'launch', 'models', 'docker', 'constraints.txt'} & set(ignored)


def test_the_image_installs_what_the_packages_need():
    done = subprocess.run(
        [sys.executable, DOCKER / 'third_party.py'], capture_output=True, text=True, check=True
    )
    listed = set(done.stdout.split())
    for file in SETUP_FILES:
        block = re.search(r'install_requires=(\[.*?\])', file.read_text(), re.DOTALL)
        assert block is not None, file
        names = set(ast.literal_eval(block[1]))
        ours = {name for name in names if (ROOT / 'src' / name).is_dir() or name == 'ibc_models'}
        assert names - ours <= listed, file
    assert not listed & {path.parent.name for path in SETUP_FILES}


def test_the_system_can_be_checked_before_anything_is_installed():
    command = [sys.executable, '-I', '-S', DOCKER / 'check_system.py']
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, '')


def test_everybody_asks_apt_for_the_same_libraries():
    wanted = set(' '.join(packages for packages, _ in LIBRARIES.values()).split())
    for name in ('README.md', '.ci/run', 'docker/Dockerfile'):
        text = (ROOT / name).read_text()
        # Ubuntu 24.04 renamed packages when times got 64 bits; the old name still finds them.
        found = set(re.findall(r'\blib[a-z0-9.+-]*[a-z0-9]\b', text.replace('t64', '')))
        assert wanted <= found, name


def test_what_the_image_refers_to_is_installed_there(dockerfile):
    """/opt/ibc is colcon's merged install folder: share/<package>/... and lib/<package>/..."""
    assert '/opt/ibc/share/ibc_bringup/config/fastdds_shm.xml' in dockerfile
    assert (ROOT / 'launch' / 'config' / 'fastdds_shm.xml').is_file()
    assert '/opt/ibc/lib/ibc_bringup/ibc ' in dockerfile
    assert "'ibc = ibc_bringup.main:main'" in (ROOT / 'launch' / 'setup.py').read_text()
    assert '/opt/ibc/local_setup.bash' in (DOCKER / 'entrypoint.sh').read_text()


def test_services_use_the_image_and_known_commands(services):
    assert set(services) == {'demo', 'train', 'robot', 'robot-gpu'}
    for service in services.values():
        build = service['build']
        assert ((DOCKER / build['context']).resolve() / build['dockerfile']).is_file()
        assert '..:/work' in service['volumes']
    assert (ROOT / 'launch' / services['robot']['command'][3]).is_file()


def test_a_robot_with_a_gpu_is_the_same_robot(services):
    robot, with_gpu = services['robot'], dict(services['robot-gpu'])
    assert with_gpu.pop('deploy') == services['train']['deploy']
    assert {**with_gpu, 'profiles': robot['profiles']} == robot


def test_services_parse_their_commands(services):
    from ibc_bringup.main import parser
    from ibc_bringup.stacks import find_stack

    for name in ('demo', 'train'):
        program, *words = services[name]['command']
        assert program == 'ibc'
        parser().parse_args(words)
    stack = find_stack(services['robot']['command'][3].removesuffix('.launch.py'))
    given = {word.partition(':=')[0] for word in services['robot']['command'][4:]}
    assert given <= {argument.name for argument in stack.arguments}


def test_the_entrypoint_is_a_valid_script():
    subprocess.run(['bash', '-n', DOCKER / 'entrypoint.sh'], check=True)
    assert (DOCKER / 'entrypoint.sh').stat().st_mode & 0o111
