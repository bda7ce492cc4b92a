"""The twin's camera against a real server of scene states."""

import threading
import time

import numpy as np
import pytest

from planar_arm import xarm6
from realsense_capture import twin_source
from realsense_capture.source import SourceUnavailable
from realsense_capture.twin_source import TwinSource
from xarm_twin.config import load_scene
from xarm_twin.scene_state import SceneState, SceneStateServer
from xarm_twin.tasks import get_task

WIDTH, HEIGHT = 160, 90


def make_state(stamp_ns, shift=0.0, task='push_red'):
    poses = get_task(task).sample_layout(np.random.default_rng(0))
    poses = np.array(poses, dtype=float)
    poses[:, 1] += shift
    return SceneState(stamp_ns, np.array(xarm6.HOME_Q), poses, task)


@pytest.fixture
def server():
    with SceneStateServer(port=0) as server:
        yield server


@pytest.fixture
def source(server):
    source = TwinSource('127.0.0.1', server.port, WIDTH, HEIGHT, 50.0, 'tiny')
    source.open()
    yield source
    source.close()


def tell(server, make, stop):
    while not stop.is_set():
        server.publish(make())
        time.sleep(1 / 60)


@pytest.fixture
def telling(server):
    """Publish states at 60 Hz, as the twin does; `make` can be replaced while it runs."""
    stop, told = threading.Event(), {'make': lambda: make_state(time.time_ns())}
    teller = threading.Thread(target=tell, args=(server, lambda: told['make'](), stop))
    teller.start()
    yield told
    stop.set()
    teller.join()


def read(source, count=1):
    frames = []
    for _ in range(200):
        frame = source.read(0.2)
        if frame is not None:
            frames.append(frame)
        if len(frames) == count:
            return frames
    pytest.fail('no frames')


def test_frames_show_the_state_and_carry_its_stamp(source, telling):
    frames = read(source, 3)
    stamps = [frame.stamp_ns for frame in frames]
    assert stamps == sorted(set(stamps))
    assert abs(stamps[-1] - time.time_ns()) < 5e9
    assert frames[0].rgb.shape == (HEIGHT, WIDTH, 3)
    assert frames[0].rgb.std() > 10
    np.testing.assert_array_equal(frames[1].rgb, frames[2].rgb)


def test_a_moved_object_is_seen_moving(source, telling):
    before = read(source)[0].rgb.astype(int)
    moved_ns = time.time_ns()
    telling['make'] = lambda: make_state(time.time_ns(), shift=0.05)
    after = next(f for f in read(source, 10) if f.stamp_ns > moved_ns + 50_000_000).rgb.astype(int)
    assert (np.abs(before - after).max(axis=-1) > 40).sum() > 20


def test_a_delay_put_in_by_hand_shows_what_was_and_does_not_say_so(server, telling):
    source = TwinSource('127.0.0.1', server.port, WIDTH, HEIGHT, 10.0, 'tiny', delay_s=0.2)
    source.open()
    try:
        before = read(source)[0].rgb.astype(int)
        moved_ns = time.time_ns()
        telling['make'] = lambda: make_state(time.time_ns(), shift=0.05)
        seen_ns = next(
            frame.stamp_ns
            for frame in read(source, 10)
            if (np.abs(before - frame.rgb).max(axis=-1) > 40).sum() > 20
        )
        assert moved_ns + 0.2e9 <= seen_ns
    finally:
        source.close()


def test_the_cameras_model_is_the_scenes(source, telling):
    read(source)
    model = source.intrinsics()
    wanted = load_scene().camera.model(WIDTH, HEIGHT)
    assert (model.width, model.height) == (WIDTH, HEIGHT)
    assert (model.fx, model.fy, model.cx, model.cy) == (
        wanted.fx,
        wanted.fy,
        wanted.cx,
        wanted.cy,
    )
    assert source.status()['renderer'] == 'tiny'
    assert source.status()['source'] == 'twin push_red'


def test_another_task_is_drawn_without_a_restart(source, telling):
    read(source)
    telling['make'] = lambda: make_state(time.time_ns(), task='insert_blue')
    for _ in range(50):
        read(source)
        if source.status()['source'] == 'twin insert_blue':
            return
    pytest.fail('the new task was never drawn')


def test_a_state_is_drawn_once(source, server):
    stamp_ns = time.time_ns()
    for _ in range(30):  # the first state that arrives only says what there is to draw
        server.publish(make_state(stamp_ns))
        assert source.read(0.1) is None
        if source.status()['source'] == 'twin push_red':
            break
    server.publish(make_state(stamp_ns + 1))
    assert source.read(2.0).stamp_ns == stamp_ns + 1
    assert source.read(0.1) is None


def test_a_silent_twin_is_unavailable_and_found_when_it_comes_back(monkeypatch):
    monkeypatch.setattr(twin_source, 'LOST_AFTER_S', 0.3)
    with SceneStateServer(port=0) as server:
        port = server.port
    source = TwinSource('127.0.0.1', port, WIDTH, HEIGHT, 50.0, 'tiny')
    source.open()
    with pytest.raises(SourceUnavailable, match=f'no twin tells its state at 127.0.0.1:{port}'):
        read(source)
    source.close()
    source.open()
    with SceneStateServer(port=port) as server:
        stop = threading.Event()
        teller = threading.Thread(
            target=tell, args=(server, lambda: make_state(time.time_ns()), stop)
        )
        teller.start()
        for _ in range(50):
            try:
                frame = source.read(0.1)
            except SourceUnavailable:
                continue
            if frame is not None:
                break
        stop.set()
        teller.join()
    source.close()
    assert frame is not None
