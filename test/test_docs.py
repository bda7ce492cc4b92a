"""What the guides say can be done, can be done: commands, links, topics, parameters."""

import argparse
import dataclasses
import importlib
import re
import shlex
from pathlib import Path

import pytest

from ibc_bringup.arguments import parse_assignments
from ibc_bringup.main import parser
from ibc_bringup.stacks import STACKS
from ibc_contract import topics
from xarm_twin.envs import env_id
from xarm_twin.tasks import TASK_NAMES

ROOT = Path(__file__).resolve().parents[1]
GUIDES = [ROOT / 'README.md', ROOT / 'docker' / 'README.md', *sorted(ROOT.glob('docs/*.md'))]
INTERFACE = ROOT / 'docs' / 'ros_interface.md'
CONFIGS = {
    'xarm_planar_driver': ['xarm_planar_driver.config:DriverConfig'],
    'realsense_capture': ['realsense_capture.config:CaptureConfig'],
    'teleop_mouse': ['teleop_mouse.config:TeleopConfig'],
    'demo_recorder': ['demo_recorder.config:RecorderConfig', 'demo_recorder.config:EpisodeFacts'],
    'ibc_policy': ['ibc_policy_node.config:PolicyConfig'],
    'xarm_twin': ['xarm_twin.node:TwinConfig'],
    'demonstrator': ['xarm_twin.demonstrator_node:DemonstratorConfig'],
    'replay_bag': ['demo_recorder.replay_node:ReplayConfig'],
    'trials': ['ibc_bringup.trials_config:TrialsConfig'],
}

guides = pytest.mark.parametrize('guide', GUIDES, ids=lambda path: str(path.relative_to(ROOT)))


def shell_lines(guide: Path) -> list[str]:
    """Lines of shell blocks, continued ones joined."""
    text = guide.read_text().replace('\\\n', ' ')
    blocks = re.findall(r'^```(?:bash|sh)\n(.*?)^```', text, re.DOTALL | re.MULTILINE)
    return [line.strip() for block in blocks for line in block.splitlines()]


def inline_code(guide: Path) -> list[str]:
    """What stands between backticks in running text and tables, maybe across a line's end."""
    text = re.sub(r'^```.*?^```', '', guide.read_text(), flags=re.DOTALL | re.MULTILINE)
    return [' '.join(code.split()) for code in re.findall(r'`([^`]+)`', text)]


def check_stack(words: list[str]) -> None:
    """Check that a stack takes `STACK name:=value`; with `...` in it, that it knows the names."""
    stack = STACKS[words[0]]
    given = parse_assignments([word for word in words[1:] if word != '...'])
    known = {argument.name for argument in stack.arguments}
    assert given.keys() <= known, words
    if '...' in words:
        return
    # An example's models, bags and sites lie on nobody's disk: what is looked up there is given.
    found = {'task': 'push_red', 'seed': '0', 'camera_pose': 'camera.yaml'}
    given = {**{name: found[name] for name in found.keys() & known}, **given}
    given.pop('config_dir', None)
    stack.calls(stack.values(given))


def rows(node: str) -> dict[str, list[str]]:
    """Table rows of a node's section: parameter -> cells."""
    section = INTERFACE.read_text().split(f'\n### {node}\n')[1].split('\n### ')[0]
    cells = [
        [cell.strip() for cell in line.strip('|').split('|')]
        for line in section.splitlines()
        if line.startswith('| `')
    ]
    return {row[0].strip('`'): row for row in cells}


def fields(node: str) -> dict[str, dataclasses.Field]:
    found = {}
    for path in CONFIGS[node]:
        module, name = path.split(':')
        config = getattr(importlib.import_module(module), name)
        found |= {field.name: field for field in dataclasses.fields(config)}
    return found


@guides
def test_commands_are_understood(guide):
    for line in shell_lines(guide):
        words = shlex.split(line, comments=True)
        if words[:1] == ['ibc'] and '...' not in words:
            parser().parse_args(words[1:])
            if words[1] == 'up':
                check_stack(words[2:])


def options_of(command: argparse.ArgumentParser) -> set[str]:
    """Options of a command, or of any of the actions below it."""
    found = set(command._option_string_actions)
    for action in command._actions:
        if isinstance(action, argparse._SubParsersAction):
            found = found.union(*map(options_of, action.choices.values()))
    return found


@guides
def test_commands_in_running_text_have_these_names_and_options(guide):
    (subparsers,) = (a for a in parser()._actions if isinstance(a, argparse._SubParsersAction))
    for code in inline_code(guide):
        words = code.split()
        if words[:1] != ['ibc'] or len(words) < 2 or words[1].isupper():
            continue
        options = {word for word in words if word.startswith('--')} - {'--json'}
        assert options <= options_of(subparsers.choices[words[1]]), code
        if words[1] == 'up' and len(words) > 2 and not words[2].isupper():
            check_stack(words[2:])


@guides
def test_launch_files_and_their_arguments_exist(guide):
    for line in [*shell_lines(guide), *inline_code(guide)]:
        match = re.search(r'(\w+)\.launch\.py(.*)', line.split('#')[0])
        if match is not None:
            check_stack([match[1], *match[2].split()])


@guides
def test_links_lead_somewhere(guide):
    for target in re.findall(r'\]\(([^)\s]+)\)', guide.read_text()):
        if '://' in target:
            continue
        path, _, anchor = target.partition('#')
        place = (guide.parent / path).resolve() if path else guide
        assert place.exists(), target
        if anchor:
            titles = re.findall(r'^#+ (.*)$', place.read_text(), re.MULTILINE)
            slugs = {re.sub(r'[^\w -]', '', t).strip().lower().replace(' ', '-') for t in titles}
            assert anchor in slugs, target


@pytest.mark.parametrize('node', CONFIGS)
def test_parameters_are_all_described_with_their_defaults(node):
    described, actual = rows(node), fields(node)
    assert list(described) == list(actual)
    for name, field in actual.items():
        default = field.default
        said = described[name][1]
        if default is dataclasses.MISSING:
            assert said == 'required'
        elif isinstance(default, bool):
            assert said == str(default).lower()
        elif isinstance(default, str):
            assert said.strip("'") == default
        elif isinstance(default, int | float):
            assert float(said) == default, name


def test_every_name_on_the_wire_is_described():
    text = INTERFACE.read_text()
    for name, value in vars(topics).items():
        if name.isupper() and isinstance(value, str):
            assert f'`{value}`' in text, value


def test_every_environment_is_named():
    text = (ROOT / 'docs' / 'training.md').read_text()
    assert [task for task in TASK_NAMES if f'`{env_id(task)}`' not in text] == []


def test_recorded_topics_are_described():
    text = (ROOT / 'docs' / 'data_format.md').read_text()
    for topic, message_type in topics.EPISODE_TOPICS.items():
        assert f'`/{topic}`' in text, topic
        assert message_type in text, message_type


def test_the_tests_that_the_reliability_guide_names_exist():
    guide = ROOT / 'docs' / 'reliability.md'
    named = re.findall(r'\[`(test_\w+)`\]\(([^)]+)\)', guide.read_text())
    assert named
    for name, path in named:
        assert f'def {name}(' in (guide.parent / path).read_text(), name
