"""Drawing, checked by the pixels that must and must not change."""

import numpy as np
import pytest

from ibc_contract import topics
from planar_arm.camera_model import CameraModel, look_at
from planar_arm.workspace import DEFAULT_WORKSPACE
from teleop_mouse.keys import ACTIONS
from teleop_mouse.overlay import AMBER, GREEN, RED, WHITE, Marks
from teleop_mouse.panel import Field, Message, draw_panel
from teleop_mouse.recorder_state import RecorderState
from teleop_mouse.screen import FRAME, PolicyState, Screen, fitting_scale, render

SIZE = (960, 540)
CAMERA = CameraModel(640, 360, 462, 462, 319.5, 179.5, look_at((0.8, 0.0, 0.56), (0.4, 0.0, 0.02)))
VIEW = CAMERA.scaled(*SIZE)
GREY_FRAME = np.full((360, 640, 3), 120, np.uint8)
SETPOINT = np.array([0.35, 0.05])


def draw(**changes):
    given = {'rgb': GREY_FRAME, 'view': VIEW, 'frame_age_s': 0.05, 'frame_rate_hz': 10.0}
    return render(Screen(**{**given, **changes}), SIZE, DEFAULT_WORKSPACE)


def has(image, colour):
    return bool((np.abs(image.astype(int) - colour).max(axis=-1) <= 12).any())


def around(image, p_xy, radius=3):
    x, y = VIEW.project([(*p_xy, DEFAULT_WORKSPACE.tool_height)])[0].round().astype(int)
    return image[y - radius : y + radius + 1, x - radius : x + radius + 1]


def test_the_ring_is_as_wide_as_the_tool():
    thick = SETPOINT + np.array([0.0, 0.04])
    assert not has(around(draw(marks=Marks(SETPOINT)), thick), WHITE)
    assert has(around(draw(marks=Marks(SETPOINT, tool_radius=0.04)), thick), WHITE)


def test_the_image_is_scaled_and_the_bar_is_below_it():
    canvas = draw()
    assert canvas.dtype == np.uint8
    assert canvas.shape[1:] == (960, 3)
    assert 40 < canvas.shape[0] - SIZE[1] < 200
    assert (canvas[100, 20] == 120).all()


def test_the_setpoint_is_a_ring_of_the_tools_size_where_the_camera_sees_it():
    canvas = draw(marks=Marks(SETPOINT))
    assert (around(canvas, SETPOINT) == 120).all()  # hollow
    assert has(around(canvas, SETPOINT + np.array([0.0127, 0.0])), WHITE)
    assert has(around(canvas, SETPOINT + np.array([0.0, 0.0127])), WHITE)


def test_while_leading_target_and_pointer_are_marked():
    target, aim = SETPOINT + np.array([0.03, 0.0]), SETPOINT + np.array([0.1, 0.08])
    canvas = draw(marks=Marks(SETPOINT, target, aim), speed=0.1)
    assert has(around(canvas, target), AMBER)
    assert has(around(canvas, aim), AMBER)
    assert has(around(canvas, SETPOINT - np.array([0.0, 0.0127])), GREEN)
    assert not has(around(draw(marks=Marks(SETPOINT)), aim), AMBER)


def test_an_aim_outside_is_marked_on_the_workspaces_edge():
    canvas = draw(marks=Marks(SETPOINT, SETPOINT, np.array([0.4, 2.0])), speed=0.1)
    assert has(around(canvas, (0.4, 0.28)), AMBER)


def test_a_frozen_image_is_framed_in_red_and_a_fresh_one_is_not():
    assert has(draw(frame_age_s=2.0)[:, :3], RED)
    assert not has(draw()[: SIZE[1], :3], RED)


def test_a_stopped_arm_is_a_banner_that_fits_however_long_its_reason():
    canvas = draw(arm_trouble='stopped: ' + 'a very long reason ' * 20)
    assert has(canvas[:, :3], RED)
    assert not has(canvas[:40, 5:10], WHITE)
    assert not has(canvas[:40, -10:-5], WHITE)


def test_what_the_driver_warns_of_is_an_amber_banner_until_the_arm_has_stopped():
    warned = draw(arm_warning='the tool does not follow')
    assert has(warned[:3], AMBER)
    assert not has(warned[: SIZE[1]], RED)
    stopped = draw(arm_warning='the tool does not follow', arm_trouble='stopped: C31')
    np.testing.assert_array_equal(stopped, draw(arm_trouble='stopped: C31'))


def test_without_camera_or_view_there_is_still_a_window():
    assert render(Screen(), (640, 360), DEFAULT_WORKSPACE).shape[1] == 640
    assert (draw(view=None)[: SIZE[1]] == 120).all()


def test_recording_lights_a_red_lamp():
    recording, idle = map(RecorderState.parse, ('recording push_red 3.0 s (a)', 'idle push_red'))
    assert has(draw(recorder=recording)[SIZE[1] :, :300], RED)
    assert not has(draw(recorder=idle)[SIZE[1] :, :300], RED)


@pytest.mark.parametrize(
    ('line', 'state'),
    [
        ('', RecorderState()),
        ('idle', RecorderState(text='idle')),
        (
            'idle push_red - the disk is full; kept: bags/a - b',
            RecorderState(
                text='idle',
                task='push the red block into the black tray',
                trouble='the disk is full; kept: bags/a - b',
            ),
        ),
        (
            'recording stack_cups 3.2 s [success] (2023_a) - nothing on x for 0.6 s',
            RecorderState(
                True, 'recording 3.2 s [success]', 'stack_cups', 'nothing on x for 0.6 s'
            ),
        ),
    ],
)
def test_the_recorders_line_is_taken_apart(line, state):
    assert RecorderState.parse(line) == state


def test_a_recorder_that_has_failed_is_a_red_banner_and_one_in_doubt_an_amber_one():
    failed = draw(recorder=RecorderState.parse('idle push_red - the disk is full'))
    assert has(failed[:3], RED)
    assert has(failed[: SIZE[1], :3], RED)
    doubtful = draw(recorder=RecorderState.parse('recording push_red 3.0 s (a) - nothing on x'))
    assert has(doubtful[:3], AMBER)
    assert not has(doubtful[: SIZE[1], :3], RED)


def test_troubles_of_arm_and_recorder_are_shown_one_below_the_other():
    recorder = RecorderState.parse('recording push_red 3.0 s (a) - nothing on x')
    both = draw(arm_trouble='stopped', recorder=recorder)[: SIZE[1], SIZE[0] - 10]
    assert has(both[None, :10], RED)
    assert has(both[None, 10:80], AMBER)


def test_whether_the_policy_acts_is_shown_as_long_as_there_is_one():
    bar = slice(SIZE[1], SIZE[1] + 30)
    acting, watching, late, none = (
        draw(policy=policy)[bar, 760:]
        for policy in (
            PolicyState('acting', enabled=True),
            PolicyState('watching'),
            PolicyState('no fresh frame', enabled=True, well=False),
            PolicyState(),
        )
    )
    assert has(acting, GREEN)
    assert not has(watching, GREEN)
    assert has(late, AMBER)
    assert not has(none, AMBER)
    assert (watching != none).any()


def test_keys_that_can_do_nothing_are_faint_and_stay_where_they_are():
    everything, some = (
        draw_panel(960, (), Message(), offered)
        for offered in (ACTIONS, ACTIONS - {topics.POLICY_ENABLE})
    )
    assert everything.shape == some.shape
    changed = (everything != some).any(axis=-1)
    assert 0 < changed.sum() < 0.2 * changed.size
    assert some[changed].mean() < everything[changed].mean()


def test_the_task_is_named_until_there_is_something_to_say():
    recorder = RecorderState.parse('idle push_red')
    assert (draw(recorder=recorder)[-30:] != draw(recorder=RecorderState.parse('idle'))[-30:]).any()
    said = Message('arm/home: at home')
    assert has(draw(recorder=recorder, message=said)[-30:], GREEN)


def test_marks_behind_the_camera_are_left_out():
    behind, none = draw(marks=Marks(np.array([3.0, 0.0]))), draw(marks=Marks())
    np.testing.assert_array_equal(behind[: SIZE[1]], none[: SIZE[1]])


@pytest.mark.parametrize('display', [(1366, 768), (1280, 720), (1024, 600), (1920, 1080), None])
@pytest.mark.parametrize('image', [(640, 360), (424, 240), (1280, 720)])
def test_the_whole_window_fits_on_the_screen_and_no_smaller_than_it_must_be(display, image):
    scale = fitting_scale(image, display)
    width, height = display or (1366, 768)

    def size(scale):
        canvas = render(
            Screen(), (round(image[0] * scale), round(image[1] * scale)), DEFAULT_WORKSPACE
        )
        return canvas.shape[1] + FRAME[0], canvas.shape[0] + FRAME[1]

    assert size(scale)[0] <= width
    assert size(scale)[1] <= height
    larger = size(scale + 0.05)
    assert scale == 2.0 or larger[0] > width or larger[1] > height


@pytest.mark.parametrize('width', [320, 640, 960, 1280, 2560])
def test_the_bar_keeps_its_height_whatever_it_says(width):
    short = draw_panel(width, (Field('a', 'b'),), Message())
    full = draw_panel(width, (Field('recorder', 'x' * 80),) * 4, Message('y' * 300, True))
    assert short.shape == full.shape
    assert short.shape[1] == width
