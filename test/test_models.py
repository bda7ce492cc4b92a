"""What ships in models/ is complete, small enough for git, and says how good it is."""

from pathlib import Path

import pytest

from ibc_bringup.policies import contestant
from ibc_studies.pushing.config import PushingConfig
from ibc_studies.pushing_pixels_study import measure_model
from implicit_bc.bundle import load_bundle
from implicit_bc.bundle_files import read_description
from implicit_bc.rollout import rollout
from xarm_twin.tasks import TASK_NAMES

ROOT = Path(__file__).resolve().parents[1] / 'models'
BUNDLES = sorted(path.parent for path in ROOT.glob('*/policy.yaml'))
LARGEST_FILE = 16_000_000
KINDS = {'.safetensors', '.yaml', '.md', '.json'}

PUSHING = 'pushing_single'
"""A task of a study, not of the twin."""
GOOD_ENOUGH = 0.3
"""A bundle that ships does its task more often than this, with 97.5 % confidence."""

every_bundle = pytest.mark.parametrize('path', BUNDLES, ids=lambda path: path.name)


@every_bundle
def test_a_bundle_holds_weights_and_text_only(path):
    for file in path.iterdir():
        assert file.suffix in KINDS, file
        assert file.stat().st_size < LARGEST_FILE, file
    assert (path / 'README.md').is_file()


@every_bundle
def test_a_bundle_loads_and_decides(path):
    assert load_bundle(path).policy.warm_up(rounds=1) > 0


@every_bundle
def test_a_bundle_says_how_often_it_succeeds(path):
    description = read_description(path)
    assert description['tasks']
    assert set(description['tasks']) <= {*TASK_NAMES, PUSHING}
    for task in description['tasks']:
        low, high = description['results'][task]['wilson95']
        assert 0.0 <= low <= description['results'][task]['success_rate'] <= high <= 1.0


def test_there_is_a_bundle():
    assert BUNDLES


def test_the_best_bundle_does_its_task():
    results = [result for path in BUNDLES for result in read_description(path)['results'].values()]
    assert max(result['wilson95'][0] for result in results) > GOOD_ENOUGH


class Reached(Exception):
    """Enough of the task is done."""


def reaches(path, least: float) -> bool:
    """Whether it gets to this score in one of three episodes on new layouts."""

    def watch(observation, action, info):
        if info['score'] >= least:
            raise Reached

    chosen = contestant(str(path))
    policy, env = chosen.policy(), chosen.env()
    try:
        for seed in range(3):
            rollout(policy, env, seed, watch)
    except Reached:
        return True
    finally:
        env.close()
    return False


@every_bundle
def test_a_bundle_does_a_part_of_its_task(path):
    # Whatever its card claims: damaged or swapped weights get next to no block anywhere. Three
    # episodes can go worse than a hundred, and another processor rounds otherwise.
    description = read_description(path)
    task = description['tasks'][0]
    least = 0.3 * description['results'][task]['score']
    if task == PUSHING:
        assert measure_model(path, PushingConfig('single'), episodes=3).score >= least
    else:
        assert reaches(path, least)
