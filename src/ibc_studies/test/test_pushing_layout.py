import numpy as np
import pytest
from pydantic import ValidationError

from ibc_studies.pushing import PushingConfig
from ibc_studies.pushing.layout import sample_layout
from ibc_studies.pushing.observation import Scene


def layouts(task, form, count=2000):
    config = PushingConfig(task=task, form=form)
    made = [sample_layout(config, np.random.default_rng(seed)) for seed in range(count)]
    return np.array([layout.block for layout in made]), np.array([layout.zones for layout in made])


def test_the_faithful_yaw_misses_what_the_release_s_bug_misses():
    blocks, _ = layouts('single', 'faithful')
    assert 1.0 < blocks[:, 2].min() < 1.01
    assert np.pi - 0.01 < blocks[:, 2].max() <= np.pi
    # After a quarter turn a square looks the same: (1, pi] covers [1, pi/2] twice.
    often = np.mean(blocks[:, 2] % (np.pi / 2) > 1.0)
    assert often == pytest.approx(2 * (np.pi / 2 - 1) / (np.pi - 1), abs=0.03)


def test_the_fixed_yaw_has_every_orientation_alike():
    blocks, _ = layouts('single', 'fixed')
    assert blocks[:, 2].min() < 0.01
    often = np.mean(blocks[:, 2] % (np.pi / 2) > 1.0)
    assert often == pytest.approx((np.pi / 2 - 1) / (np.pi / 2), abs=0.03)


@pytest.mark.parametrize('form', ['faithful', 'fixed'])
def test_a_single_zone_lies_where_the_release_puts_it(form):
    blocks, zones = layouts('single', form)
    for values, low, high in [
        (blocks[:, 0], 0.3, 0.5),
        (blocks[:, 1], -0.35, -0.05),
        (zones[:, 0, 0], 0.3, 0.5),
        (zones[:, 0, 1], 0.05, 0.35),
        (np.abs(zones[:, 0, 2]), np.pi * 5 / 6, np.pi),
    ]:
        assert low <= values.min() < low + 0.01
        assert high - 0.01 < values.max() <= high


def test_two_zones_are_spaced_along_x_only_in_the_faithful_form():
    for form, spaced in [('faithful', True), ('fixed', False)]:
        _, zones = layouts('multi', form)
        np.testing.assert_array_equal(zones[0, :, 1], (0.0, 0.4))
        apart = np.abs(zones[:, 0, 0] - zones[:, 1, 0])
        assert (apart.min() > 0.15) == spaced
        assert apart.max() <= 0.2


@pytest.mark.parametrize(
    ('task', 'form', 'evaluation', 'demonstration'),
    [
        ('single', 'faithful', 0.02, 0.01),
        ('single', 'fixed', 0.02, 0.02),
        ('multi', 'faithful', 0.02, 0.04),
        ('multi', 'fixed', 0.04, 0.04),
    ],
)
def test_what_counts_as_reached(task, form, evaluation, demonstration):
    config = PushingConfig(task=task, form=form)
    assert config.success_distance == evaluation
    assert config.for_demonstrations().success_distance == demonstration
    asked = PushingConfig(task=task, form=form, tolerance=0.03)
    assert asked.success_distance == asked.for_demonstrations().success_distance == 0.03


def test_what_does_not_exist_is_refused():
    for wrong in ({'task': 'triple'}, {'form': 'broken'}, {'tolerance': 0.0}, {'colour': 'red'}):
        with pytest.raises(ValidationError):
            PushingConfig(**wrong)


def test_the_state_vector_has_the_order_of_the_release_s_keys():
    """Block yaw, block xy, setpoint, tool, then the second zone's yaw and xy, then the first's."""
    zones = np.array([(0.8, 0.9, 1.0), (1.1, 1.2, 1.3)])
    scene = Scene(np.array((0.2, 0.3)), 0.1, np.array((0.4, 0.5)), np.array((0.6, 0.7)), zones)
    expected = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 1.3, 1.1, 1.2, 1.0, 0.8, 0.9]
    np.testing.assert_array_equal(scene.vector(), np.array(expected, np.float32))


@pytest.mark.parametrize('count', [1, 2])
def test_a_state_vector_reads_back(count):
    values = np.random.default_rng(0).normal(size=(count, 3))
    scene = Scene(np.array((0.2, 0.3)), 0.1, np.array((0.4, 0.5)), np.array((0.6, 0.7)), values)
    read = Scene.from_vector(scene.vector())
    assert read.block_yaw == pytest.approx(0.1)
    for name in ('block_xy', 'setpoint', 'tool', 'zones'):
        np.testing.assert_allclose(getattr(read, name), getattr(scene, name), rtol=1e-6)
