import numpy as np
import pytest

from ibc_contract.errors import IbcError
from ibc_studies.pushing import (
    PushingConfig,
    PushingOracle,
    pushing_demonstrations,
    roll_out_pushing,
)
from ibc_studies.pushing.observation import Scene
from ibc_studies.pushing.oracle import Phase


def seen(setpoint, block=(0.4, 0.0), yaw=0.0, zones=((0.4, 0.3),)):
    """State vector with the tool at its setpoint."""
    zones = np.array([(*zone, 0.0) for zone in zones])
    at = np.array(setpoint)
    return Scene(np.array(block), yaw, at, at, zones).vector()


def test_it_first_goes_to_five_centimetres_behind_the_block():
    oracle = PushingOracle()
    np.testing.assert_allclose(oracle.act(seen((0.4, -0.06))), (0.0, 0.01), atol=1e-6)
    move = oracle.act(seen((0.3, -0.4)))
    assert np.linalg.norm(move) == pytest.approx(0.03, rel=1e-5)
    np.testing.assert_allclose(move / 0.03, np.array((0.1, 0.35)) / np.hypot(0.1, 0.35), atol=1e-4)
    assert oracle.phase is Phase.APPROACH


def test_then_to_the_side_and_then_it_pushes():
    oracle = PushingOracle()
    np.testing.assert_allclose(oracle.act(seen((0.4, -0.05))), (0.0, 0.02), atol=1e-6)
    assert oracle.phase is Phase.DRAW_NEAR
    np.testing.assert_allclose(oracle.act(seen((0.4, -0.03))), (0.0, 0.02), atol=1e-6)
    assert oracle.phase is Phase.PUSH
    move = oracle.act(seen((0.4, -0.15)))
    np.testing.assert_allclose(move, (0.0, 0.035), atol=1e-6)


@pytest.mark.parametrize(
    ('yaw', 'phase', 'side'), [(-0.3, Phase.TURN_LEFT, 1), (0.3, Phase.TURN_RIGHT, -1)]
)
def test_a_crooked_block_is_turned_until_it_is_straight(yaw, phase, side):
    oracle = PushingOracle()
    move = oracle.act(seen((0.4, -0.05), yaw=yaw))
    assert oracle.phase is phase
    assert np.linalg.norm(move) == pytest.approx(0.015, rel=1e-5)
    assert move[0] * side > 0, 'counter-clockwise around the block is to +x below it'
    oracle.act(seen((0.4, -0.025), yaw=np.sign(yaw) * 0.04))
    assert oracle.phase is phase
    oracle.act(seen((0.4, -0.025), yaw=np.sign(yaw) * 0.02))
    assert oracle.phase is Phase.APPROACH


def test_a_quarter_turn_of_the_block_makes_no_difference():
    for quarter in range(-2, 3):
        oracle = PushingOracle()
        oracle.act(seen((0.4, -0.05), yaw=0.1 + quarter * np.pi / 2))
        assert oracle.phase is Phase.DRAW_NEAR


def test_a_block_that_turns_while_pushed_is_approached_again():
    oracle = PushingOracle()
    oracle.act(seen((0.4, -0.05)))
    oracle.act(seen((0.4, -0.03)))
    oracle.act(seen((0.4, -0.02), yaw=0.25))
    assert oracle.phase is Phase.APPROACH


def test_it_turns_to_the_second_zone_once_the_first_was_reached_and_never_back():
    oracle = PushingOracle()
    zones = ((0.4, 0.3), (0.7, 0.0))
    assert oracle.act(seen((0.4, -0.1), block=(0.4, 0.0), zones=zones))[1] > 0.02
    at_first = seen((0.3, 0.27), block=(0.4, 0.27), zones=zones)
    towards_second = np.array((0.3, -0.27)) / np.hypot(0.3, 0.27)
    behind = np.array((0.4, 0.27)) - 0.05 * towards_second
    move = oracle.act(at_first)
    expected = behind - (0.3, 0.27)
    np.testing.assert_allclose(move, expected / np.linalg.norm(expected) * 0.03, atol=1e-5)
    back = seen((0.4, -0.1), block=(0.4, 0.0), zones=zones)
    assert oracle.act(back)[0] < 0, 'the second zone is at +x, so its far side is at -x'


def test_a_block_exactly_on_its_zone_is_no_reason_to_fail():
    assert np.isfinite(PushingOracle().act(seen((0.4, 0.2), block=(0.4, 0.3)))).all()


@pytest.mark.parametrize('form', ['faithful', 'fixed'])
@pytest.mark.parametrize(('task', 'steps'), [('single', (35, 55)), ('multi', (50, 85))])
def test_it_does_the_task(task, form, steps):
    config = PushingConfig(task=task, form=form)
    made = pushing_demonstrations(config, 10, seed=0, progress=False)
    assert made.success.all()
    assert steps[0] < made.lengths.mean() < steps[1]
    assert made.observations.shape == (len(made.actions), config.observation_size)
    assert made.observations.dtype == made.actions.dtype == np.float32
    assert np.linalg.norm(made.actions, axis=1).max() < 0.0351


def test_the_number_of_workers_makes_no_difference():
    config = PushingConfig()
    alone = pushing_demonstrations(config, 12, progress=False)
    together = pushing_demonstrations(config, 12, workers=2, progress=False)
    np.testing.assert_array_equal(alone.observations, together.observations)
    np.testing.assert_array_equal(alone.actions, together.actions)
    np.testing.assert_array_equal(alone.episode, together.episode)


def test_episodes_side_by_side_are_what_they_are_alone():
    config = PushingConfig()
    made = pushing_demonstrations(config, 4, seed=20, progress=False)
    oracles = [PushingOracle() for _ in range(4)]

    def act(observations, indices):
        return np.stack([oracles[i].act(o) for i, o in zip(indices, observations, strict=True)])

    episodes = roll_out_pushing(act, config, range(20, 24), progress=False)
    assert [episode.seed for episode in episodes] == [20, 21, 22, 23]
    assert [episode.steps for episode in episodes] == made.lengths.tolist()
    assert all(episode.success and episode.score == 1.0 for episode in episodes)


def test_nothing_to_do_is_an_error():
    with pytest.raises(IbcError, match='0 pushing demonstrations'):
        pushing_demonstrations(PushingConfig(), 0)
    with pytest.raises(IbcError, match='no seeds'):
        roll_out_pushing(lambda observations, indices: observations, PushingConfig(), [])
