"""The table of a site: recovered from touched points, stored, read back, and refused."""

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planar_arm.calibration_file import age_warning, today
from planar_arm.errors import BadGeometry
from planar_arm.homing import points_home
from planar_arm.kinematics import Xarm6Kinematics
from planar_arm.table import FILE, TableCalibration, load_table, save_table
from planar_arm.table_fit import CLEARANCE, MAX_RISE, fit_table, require_reach
from planar_arm.tool import DEFAULT_TOOL, Tool
from planar_arm.workspace import DEFAULT_WORKSPACE, Workspace, convex_hull
from planar_arm.xarm6 import HOME_Q, HOME_XY, TOOL_LENGTH

PLACES = np.array([(0.2, -0.28), (0.6, -0.28), (0.6, 0.28), (0.2, 0.28), (0.4, 0.0), (0.4, 0.2)])
INSET = 0.01


def touched(height, slope=(0.0, 0.0), places=PLACES):
    z = height + (places - (0.4, 0.0)) @ slope
    return np.column_stack([places, z])


@given(
    st.floats(-0.05, 0.08),
    st.floats(0.0, MAX_RISE),
    st.floats(-math.pi, math.pi),
    st.integers(0, 10_000),
)
def test_height_and_tilt_are_recovered(height, rise, direction, seed):
    """From points touched to half a millimetre in each axis."""
    slope = 0.8 * rise / 0.7 * np.array([math.cos(direction), math.sin(direction)])
    noise = np.random.default_rng(seed).normal(0, 0.0005, (len(PLACES), 3))
    fit = fit_table(touched(height, slope) + noise, INSET)
    assert abs(fit.height - height) < 0.002
    assert abs(math.degrees(fit.tilt - math.atan(np.linalg.norm(slope)))) < 0.5
    gaps = [fit.workspace.tool_height - z for z in touched(height, slope)[:, 2]]
    assert min(gaps) > CLEARANCE - 0.002
    assert max(gaps) < CLEARANCE + MAX_RISE + 0.004


def test_the_tool_goes_over_the_highest_place():
    fit = fit_table(touched(0.02, (0.01, 0.0)), 0.0)
    assert fit.rise == pytest.approx(0.004)
    assert fit.workspace.tool_height == pytest.approx(0.022 + CLEARANCE)
    assert fit.height == pytest.approx(0.02)
    np.testing.assert_allclose(fit.residuals, 0, atol=1e-9)


def test_the_workspace_lies_inside_the_outermost_points():
    fit = fit_table(touched(0.02), INSET)
    assert fit.workspace.bounds == pytest.approx((0.21, -0.27, 0.59, 0.27))
    assert len(fit.workspace.polygon) == 4  # points inside are no corners


def test_a_residual_is_the_distance_from_the_plane_of_the_others():
    points = touched(0.02)
    points[4, 2] += 0.004
    assert fit_table(points, INSET).residuals[4] == pytest.approx(0.004)
    four = touched(0.02, places=PLACES[:4])
    four[0, 2] += 0.004
    np.testing.assert_allclose(np.abs(fit_table(four, INSET).residuals), 0.004)
    three = touched(0.02, places=np.array([(0.2, -0.28), (0.2, 0.28), (0.6, 0.0)]))
    np.testing.assert_array_equal(fit_table(three, 0.0).residuals, 0)


@pytest.mark.parametrize(
    ('points', 'said'),
    [
        (touched(0.02)[:2], '2 points: a plane needs 3'),
        (touched(0.02, places=PLACES[[0, 4, 2]]), 'close to one line'),
        (touched(0.02, (0.03, 0.0)), r'rises by 11.4 mm .* \(1.72 degrees\).* 8 mm are possible'),
        (touched(0.02) + np.outer(np.arange(6) == 4, (0, 0, 0.007)), 'point 5 lies 7.0 mm'),
        (
            (touched(0.02) + np.outer(np.arange(6) == 1, (0, 0, 0.01)))[:4],
            r'one of the four \(more tell which\) lies',
        ),
        (
            touched(0.02, places=PLACES[3:]),
            r'home, \(0.24, 0.0\) m, is not 10 mm inside',
        ),
        (touched(0.02) * (1, 1, math.nan), 'not finite'),
    ],
)
def test_what_no_planar_arm_can_use_is_refused(points, said):
    with pytest.raises(BadGeometry, match=said):
        fit_table(points, INSET)


def test_a_workspace_out_of_reach_is_refused():
    kinematics = Xarm6Kinematics()
    require_reach(kinematics, DEFAULT_WORKSPACE)
    far = Workspace(((0.2, -0.3), (0.8, -0.3), (0.8, 0.3), (0.2, 0.3)), 0.03)
    around_the_base = Workspace(((-0.3, -0.3), (0.4, -0.3), (0.4, 0.3), (-0.3, 0.3)), 0.03)
    for workspace in (far, around_the_base):
        with pytest.raises(BadGeometry, match='not within reach: '):
            require_reach(kinematics, workspace)
    kinematics.close()


# The file.


def calibration(**changes):
    fit = fit_table(touched(0.021, (0.002, 0.001)), INSET)
    values = {
        'tool_height': fit.workspace.tool_height,
        'polygon': list(fit.workspace.polygon),
        'tool_length': TOOL_LENGTH,
        'date': today(),
        'points': [tuple(point) for point in np.round(touched(0.021), 5).tolist()],
        **changes,
    }
    return fit.workspace, TableCalibration(**values)


def test_a_stored_table_is_read_back(tmp_path):
    workspace, stored = calibration()
    path = save_table(tmp_path / 'site', stored)
    assert path == tmp_path / 'site' / FILE
    table = load_table(path)
    assert table.workspace == workspace
    table.require_tool(TOOL_LENGTH)
    with pytest.raises(BadGeometry, match=r'a tool of 152.4 mm, and tool_length is 160.0 mm'):
        table.require_tool(0.16)
    assert age_warning(path, 1) == ''
    save_table(tmp_path / 'site', calibration(date='2020-01-01')[1])
    assert len(list(path.parent.glob('table-*.yaml'))) == 1
    assert re.fullmatch(rf'{path} is \d{{4}} days old', age_warning(path, 90))


@pytest.mark.parametrize(
    ('date', 'said'),
    [
        ('', 'does not say when it was made'),
        ("date: ''", 'does not say when it was made'),
        ('date: last Tuesday', "was made on 'last Tuesday', which is no date"),
        ('date: 2126-03-02', 'was made in the future, on 2126-03-02'),
        ('date: 2020-01-01', 'days old'),
        (f'date: {today()}', ''),
    ],
)
def test_a_calibration_of_which_nobody_knows_when_it_was_made_is_warned_of(tmp_path, date, said):
    path = tmp_path / 'table.yaml'
    path.write_text(GOOD + date)
    assert age_warning(path).endswith(said)
    assert bool(age_warning(path)) == bool(said)


def test_home_is_where_the_site_says(tmp_path):
    (tmp_path / 'table.yaml').write_text(GOOD + 'home: [0.4, 0.1]\n')
    workspace = load_table(tmp_path / 'table.yaml').workspace
    assert workspace.home == (0.4, 0.1)
    assert workspace.inset(0.01).home == (0.4, 0.1)
    here = fit_table(touched(0.02), INSET, (0.45, -0.05)).workspace
    assert here.home == (0.45, -0.05)
    kinematics = Xarm6Kinematics(here)
    require_reach(kinematics, here)
    way = points_home(kinematics, here, HOME_Q)
    np.testing.assert_allclose(way[-1], (0.45, -0.05, here.tool_height), atol=1e-4)
    kinematics.close()


def test_the_twin_has_its_own():
    assert load_table('twin').workspace is DEFAULT_WORKSPACE


GOOD = (
    'tool_height: 0.03\npolygon: [[0.2, -0.2], [0.5, -0.2], [0.5, 0.2], [0.2, 0.2]]\n'
    'tool_length: 0.15\n'
)


@pytest.mark.parametrize(
    ('text', 'said'),
    [
        ('', 'ibc calibrate table SITE'),
        ('{', 'ibc calibrate table SITE'),
        (GOOD.replace('tool_length: 0.15', ''), 'tool_length'),
        (GOOD.replace('0.03', '30'), 'tool_height is 30: .* less than or equal to 0.5'),
        (GOOD.replace('0.03', '.nan'), 'tool_height'),
        (GOOD.replace('0.5, -0.2', '500, -200'), r'polygon.1.0 is 500: .* less than or equal to 1'),
        (GOOD.replace('0.5, -0.2', '0.3, 0.1], [0.5, -0.2'), 'not convex'),
        (GOOD + 'tool_hight: 0.04\n', 'tool_hight'),
        (GOOD + 'tool_height: 0.04\n', 'line 4: tool_height is there twice'),
        (GOOD.replace('0.03', 'false'), 'tool_height is False: .*valid number'),
        (GOOD + 'home: [0.495, 0.0]\n', r'home, \(0.495, 0.0\) m, is not 10 mm inside'),
    ],
)
def test_a_file_that_cannot_be_is_refused(tmp_path, text, said):
    path = tmp_path / 'table.yaml'
    path.write_text(GOOD)
    assert load_table(path).workspace.tool_height == 0.03
    path.write_text(text)
    with pytest.raises(BadGeometry, match=said) as caught:
        load_table(path)
    assert str(path) in str(caught.value)
    assert '\n' not in str(caught.value)
    with pytest.raises(BadGeometry, match='No such file'):
        load_table(tmp_path / 'none.yaml')


# Another tool.


def test_a_longer_tool_reaches_further_down():
    usual, longer = Xarm6Kinematics(), Xarm6Kinematics(tool=Tool(DEFAULT_TOOL.length + 0.05))
    down = longer.forward(HOME_Q).position - usual.forward(HOME_Q).position
    np.testing.assert_allclose(down, (0, 0, -0.05), atol=1e-5)
    place = (*HOME_XY, 0.1)
    joints = longer.inverse(place, HOME_Q)
    np.testing.assert_allclose(longer.forward(joints).position, place, atol=1e-6)
    usual.close()
    longer.close()


# Polygons.

metres = st.floats(-1, 1).map(lambda x: round(x, 5))
points_2d = st.lists(st.tuples(metres, metres), min_size=3, max_size=20)


@given(points_2d, st.floats(0, 0.1))
def test_an_inset_is_inside_by_its_margin(points, margin):
    try:
        outer = Workspace(convex_hull(points), 0.0)
        inner = outer.inset(margin)
    except BadGeometry:  # too thin
        return
    for corner in inner.polygon:
        assert outer.contains(corner, margin - 2e-4)


@given(points_2d)
def test_the_hull_holds_every_point(points):
    try:
        hull = Workspace(convex_hull(points), 0.0)
    except BadGeometry:
        return
    assert set(hull.polygon) <= set(points)
    assert all(hull.contains(point, -1e-6) for point in points)


def test_an_inset_of_everything_is_refused():
    with pytest.raises(BadGeometry, match='nothing of the workspace is 200 mm inside'):
        DEFAULT_WORKSPACE.inset(0.2)
    assert DEFAULT_WORKSPACE.inset(0.0).bounds == DEFAULT_WORKSPACE.bounds
