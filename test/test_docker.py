"""No container engine in CI: at least the files of docker/ agree with the repository."""

import ast
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ibc_bringup.system_needs import LIBRARIES
from ibc_contract.config_fields import config_fields
from xarm_planar_driver.config import DriverConfig

ROOT = Path(__file__).resolve().parents[1]
DOCKER = ROOT / 'docker'
GUIDES = [ROOT / 'README.md', DOCKER / 'README.md', *sorted(ROOT.glob('docs/*.md'))]
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
    assert '/opt/ibc/share/ibc_contract/config/fastdds_shm.xml' in dockerfile
    assert (ROOT / 'src' / 'ibc_contract' / 'ibc_contract' / 'fastdds_shm.xml').is_file()
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


def test_presets_and_groups_that_services_name_exist(services):
    from implicit_bc.training.config import load_config

    command = services['train']['command']
    assert load_config(command[command.index('--preset') + 1], {})
    rules = (DOCKER / '99-realsense.rules').read_text()
    assert [group for group in services['robot']['group_add'] if group not in rules] == []


def test_every_priority_that_the_driver_may_ask_for_is_granted(services):
    fields = {field.name: field for field in config_fields(DriverConfig)}
    highest = fields['realtime_priority'].high
    assert services['robot']['ulimits'] == {'rtprio': highest, 'memlock': -1}
    limits = (DOCKER / 'limits-realtime.conf').read_text().splitlines()
    granted = [line.split() for line in limits if line and not line.startswith('#')]
    assert granted == [
        ['@realtime', '-', 'rtprio', f'{highest:g}'],
        ['@realtime', '-', 'memlock', 'unlimited'],
    ]


def test_udev_rules_are_well_formed():
    """Matches first, then what is assigned: udev leaves out a line that it cannot parse."""
    keys = 'ACTION|SUBSYSTEM|ENV|ATTR|TEST|MODE|GROUP'
    token = re.compile(rf'^({keys})(\{{[^}}]+\}})?(==|!=|=)"[^"]+"$')
    rules = (DOCKER / '99-realsense.rules').read_text().splitlines()
    lines = [line for line in rules if line and not line.startswith('#')]
    assert lines
    for line in lines:
        tokens = [token.match(word) for word in line.split(', ')]
        assert all(tokens), line
        operators = [found[3] for found in tokens if found is not None]
        assert '=' in operators, line
        assert operators == sorted(operators, key=lambda operator: operator == '='), line


@pytest.mark.parametrize('guide', GUIDES, ids=lambda path: str(path.relative_to(ROOT)))
def test_guides_name_the_services_as_they_are(guide, services):
    for line in guide.read_text().replace('\\\n', ' ').splitlines():
        for _, rest in re.findall(r'docker compose -f docker/compose\.yaml (build|run) (.*)', line):
            words = shlex.split(rest, comments=True)
            while words[0].startswith('-'):
                words = words[2:] if words[0] == '--name' else words[1:]
            assert words[0] in (*services, 'SERVICE'), line


def test_the_entrypoint_is_a_valid_script():
    subprocess.run(['bash', '-n', DOCKER / 'entrypoint.sh'], check=True)
    assert (DOCKER / 'entrypoint.sh').stat().st_mode & 0o111
