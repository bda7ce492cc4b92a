import math

import pytest
import torch

from implicit_bc.samplers import (
    DerivativeFreeConfig,
    LangevinConfig,
    ModesConfig,
    cluster,
    find_modes,
    langevin_minimize,
    minimize,
)
from implicit_bc.samplers.modes import BLOCK, CLUSTERED

LOW, HIGH = torch.tensor([-1.0, -1.0]), torch.tensor([1.0, 1.0])
WELLS = torch.tensor([[-0.5, 0.0], [0.5, 0.0]])


def two_wells(actions, gap=1.0, stiffness=20.0):
    """Energies (..., N) of the left well, at 0, and the right one, `gap` above it."""
    distance = (actions[..., None, :] - WELLS).square().sum(-1)
    return (stiffness * distance + torch.tensor([0.0, gap])).amin(-1)


def grid(steps=41):
    axis = torch.linspace(-1, 1, steps)
    return torch.cartesian_prod(axis, axis)


def test_two_wells_on_a_grid():
    points = grid()
    modes = find_modes(points, two_wells(points), ModesConfig())
    assert [mode.action.tolist() for mode in modes] == [
        pytest.approx([-0.5, 0], abs=1e-6),
        pytest.approx([0.5, 0], abs=1e-6),
    ]
    assert [mode.margin for mode in modes] == pytest.approx([0.0, 1.0])
    # Equal wells but for exp(-1), which moves the border between them a little.
    share = 1 / (1 + math.exp(-1))
    assert [mode.mass for mode in modes] == pytest.approx([share, 1 - share], abs=0.01)


def test_two_wells_from_a_samplers_candidates():
    def modes_of(minimizer, config):
        found = minimizer(two_wells, LOW, HIGH, 1, config, torch.Generator().manual_seed(0))
        modes = find_modes(found.candidates[0], found.energies[0], ModesConfig())
        assert len(modes) == 2
        assert torch.equal(modes[0].action, found.best[0])
        assert torch.allclose(torch.stack([mode.action for mode in modes]), WELLS, atol=0.05)
        assert modes[1].margin == pytest.approx(1.0, abs=0.1)
        return modes

    # Chains stay in the well they start in, and are weighted once, at their ends.
    upper = modes_of(langevin_minimize, LangevinConfig())[1]
    assert upper.mass == pytest.approx(1 / (1 + math.e), abs=0.05)
    # Algorithm 1 weights its candidates in each of three iterations.
    upper = modes_of(minimize, DerivativeFreeConfig())[1]
    assert upper.mass == pytest.approx(1 / (1 + math.e**3), abs=0.02)


def test_a_wide_basin_is_one_mode_and_so_is_a_ridge():
    points = grid()
    wide = find_modes(points, points.square().sum(-1), ModesConfig(radius=0.1))
    assert len(wide) == 1
    assert wide[0].mass == pytest.approx(1.0)
    valley = 50 * (points[:, 0] - points[:, 1]).square() + 0.1 * points[:, 0]
    assert len(find_modes(points, valley, ModesConfig(radius=0.1))) == 1


def test_wells_closer_than_the_radius_are_one():
    points = grid()
    assert len(find_modes(points, two_wells(points), ModesConfig(radius=1.1))) == 1


@pytest.mark.parametrize(('apart', 'expected'), [(0.24, 1), (0.26, 2)])
def test_the_radius_is_the_largest_distance_that_links(apart, expected):
    points = torch.tensor([[0.0, 0.0], [0.0, apart]])
    assert len(find_modes(points, torch.tensor([0.0, 0.5]), ModesConfig(radius=0.25))) == expected


def test_a_candidate_follows_its_nearest_better_neighbor():
    # The last one is within reach of both modes and belongs to the nearer, though shallower one.
    points = torch.tensor([[0.0], [0.4], [0.22]])
    energies = torch.tensor([0.0, 0.5, 1.0])
    modes = find_modes(points, energies, ModesConfig(radius=0.3))
    total = 1 + math.exp(-0.5) + math.exp(-1)
    assert [mode.mass for mode in modes] == pytest.approx([1 / total, 1 - 1 / total])


def test_stragglers_are_left_out_unless_they_weigh():
    points = torch.tensor([[0.0, 0.0], [0.01, 0.0], [0.9, 0.9]])
    energies = torch.tensor([0.0, 0.1, 6.0])
    assert len(find_modes(points, energies, ModesConfig(min_mass=0.01))) == 1
    kept = find_modes(points, energies, ModesConfig(min_mass=0.0))
    assert [mode.margin for mode in kept] == pytest.approx([0.0, 6.0])
    assert sum(mode.mass for mode in kept) == pytest.approx(1.0)


def test_neither_order_nor_a_common_term_matters():
    points = torch.rand(500, 2, generator=torch.Generator().manual_seed(0)) * 2 - 1
    energies = two_wells(points)
    modes = find_modes(points, energies, ModesConfig())
    shuffle = torch.randperm(500, generator=torch.Generator().manual_seed(1))
    again = find_modes(points[shuffle], energies[shuffle] + 64, ModesConfig())
    assert [mode.action.tolist() for mode in again] == [mode.action.tolist() for mode in modes]
    assert [mode.mass for mode in again] == pytest.approx([mode.mass for mode in modes], rel=1e-4)
    assert [mode.margin for mode in again] == pytest.approx(
        [mode.margin for mode in modes], abs=1e-4
    )


def test_many_candidates_are_thinned_without_losing_the_best():
    points = grid(81)
    assert len(points) > 3 * CLUSTERED
    modes = find_modes(points, two_wells(points), ModesConfig())
    assert [mode.margin for mode in modes] == pytest.approx([0.0, 1.0], abs=0.1)
    assert torch.allclose(modes[0].action, WELLS[0], atol=1e-6)
    assert modes[0].mass == pytest.approx(1 / (1 + math.exp(-1)), abs=0.02)


def test_a_single_candidate_is_the_only_mode():
    (mode,) = find_modes(torch.zeros(1, 3), torch.tensor([5.0]), ModesConfig())
    assert mode.mass == 1.0
    assert mode.margin == 0.0


@pytest.mark.parametrize('bad', [{'radius': 0.0}, {'min_mass': 1.0}])
def test_senseless_constants_are_refused(bad):
    with pytest.raises(ValueError, match='Input should be'):
        ModesConfig(**bad)


@pytest.mark.parametrize('count', [1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 7])
def test_blocks_of_candidates_find_what_all_distances_would(count):
    points = torch.rand(count, 2, generator=torch.Generator().manual_seed(count)) * 2 - 1
    found = cluster(points, two_wells(points), radius=0.2)
    for row, point in enumerate(found.candidates):
        better = torch.linalg.vector_norm(found.candidates[:row] - point, dim=1)
        near = row > 0 and bool(better.min() <= 0.2)
        follows = int(better.argmin()) if near else row
        assert found.mode[row] == (found.mode[follows] if near else row)
