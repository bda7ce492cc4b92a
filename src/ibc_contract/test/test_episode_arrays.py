"""Known answers for the offline half of the contract, and parity with the live half."""

import numpy as np
import pytest

from ibc_contract import messages, topics
from ibc_contract.contract import load_contract
from ibc_contract.episode_arrays import read_steps
from ibc_contract.episode_reader import EpisodeReader
from ibc_contract.errors import BadEpisode, StaleObservation
from ibc_contract.images import encode_jpeg
from ibc_contract.observation import observation_window

RGB = load_contract('planar_rgb')
MS = 1_000_000
TOOL_DOWN = (1.0, 0.0, 0.0, 0.0)


def write_setpoints(writer, times_ms, position=lambda t: (0.3 + 0.1 * t, 0.0)):
    start = writer.info.started_ns
    for time_ms in times_ms:
        stamp = start + time_ms * MS
        xyz = (*position(time_ms / 1e3), 0.03)
        writer.write(topics.TCP_SETPOINT, stamp, messages.pose_stamped_cdr(stamp, xyz, TOOL_DOWN))


def write_frames(writer, times_ms, delay_ms=0):
    """Frames whose grey level tells their time; received `delay_ms` after their stamp."""
    start = writer.info.started_ns
    for time_ms in times_ms:
        stamp = start + time_ms * MS
        rgb = np.full((90, 120, 3), time_ms // 20, np.uint8)
        image = messages.compressed_image_cdr(stamp, encode_jpeg(rgb))
        writer.write(topics.CAMERA_COMPRESSED, stamp + delay_ms * MS, image)


def write_objects(writer, times_ms):
    start = writer.info.started_ns
    for time_ms in times_ms:
        stamp = start + time_ms * MS
        poses = messages.pose_array_cdr(stamp, [[0.4, 0.1, 0.02, 0.0, 0.0, 0.0, 1.0]])
        writer.write(topics.TWIN_OBJECTS, stamp, poses)


def seen_ms(steps):
    """Times of the frames that each tick saw, read back from their grey levels [ms]."""
    grey = steps.observations[:, 45, 60, 1].astype(int)
    return (grey[steps.index] * 20).tolist()


def test_ticks_actions_and_frames_of_a_regular_episode(episodes):
    writer = episodes.begin()
    write_setpoints(writer, range(0, 1001, 10))
    write_frames(writer, range(0, 1001, 200))
    steps = read_steps(writer.close('success'), RGB)
    assert ((steps.ticks_ns - steps.info.started_ns) // MS).tolist() == [0, 200, 400, 600, 800]
    assert seen_ms(steps) == [[0, 0], [0, 200], [200, 400], [400, 600], [600, 800]]
    assert steps.actions.dtype == np.float32
    np.testing.assert_allclose(steps.actions, [[0.02, 0.0]] * 5, atol=1e-7)
    assert steps.skipped == 0
    assert steps.observations.shape == (5, 90, 120, 3)


def test_setpoints_between_ticks_are_interpolated(episodes):
    writer = episodes.begin()
    write_setpoints(writer, range(5, 1000, 30), lambda t: (t, t * t))
    write_frames(writer, range(0, 1000, 100))
    steps = read_steps(writer.close(), RGB)
    start = (steps.ticks_ns - steps.info.started_ns) / 1e9
    assert start[0] == pytest.approx(0.005)  # the first setpoint comes after the first frame
    np.testing.assert_allclose(steps.actions[:, 0], 0.2, atol=1e-6)
    expected = (start + 0.2) ** 2 - start**2
    np.testing.assert_allclose(steps.actions[:, 1], expected, atol=3e-4)  # chords of a parabola


@pytest.mark.parametrize('kind', ['planar_rgb', 'planar_state'])
def test_actions_that_came_late_are_found_with_their_latency(episodes, kind):
    """A policy whose ramps began 80 ms after its ticks: what it did is what is read."""
    late, contract = 0.08, load_contract(kind)
    acted = np.random.default_rng(0).uniform(-0.02, 0.02, (6, 2))
    corners = np.cumsum(np.vstack([[0.3, 0.0], acted]), axis=0)

    def position(t):
        along = np.clip((t - late) / 0.2, 0.0, 6.0)
        return tuple(float(np.interp(along, np.arange(7), corners[:, axis])) for axis in (0, 1))

    writer = episodes.begin(kind)
    write_setpoints(writer, range(0, 1501, 10), position)
    write_frames(writer, range(0, 1501, 100))
    write_objects(writer, range(0, 1501, 100))
    path = writer.close()
    steps = read_steps(path, contract, late)
    np.testing.assert_allclose(steps.actions[:6], acted, atol=1e-6)
    assert np.abs(read_steps(path, contract).actions[:6] - acted).max() > 2e-3
    if kind == 'planar_state':  # the setpoint at which each action began
        seen = steps.observations[steps.index][:6, 1, :2]
        np.testing.assert_allclose(seen, corners[:6], atol=1e-6)
    else:  # the newest picture at the tick itself
        assert seen_ms(steps)[:3] == [[0, 0], [0, 200], [200, 400]]


def test_a_frame_still_under_way_is_not_seen(episodes):
    writer = episodes.begin()
    write_setpoints(writer, range(0, 1001, 10))
    write_frames(writer, range(0, 1001, 100), delay_ms=60)
    steps = read_steps(writer.close(), RGB)
    assert ((steps.ticks_ns - steps.info.started_ns) // MS).tolist() == [60, 260, 460, 660]
    assert seen_ms(steps) == [[0, 0], [0, 200], [200, 400], [400, 600]]
    fast = episodes.begin()
    write_setpoints(fast, range(0, 1001, 10))
    write_frames(fast, range(0, 1001, 100), delay_ms=110)
    # At 110 ms + k * 200 ms the frame stamped 10 ms ago has not arrived; one period later it has.
    assert seen_ms(read_steps(fast.close(), RGB)) == [[0, 0], [100, 200], [300, 400], [500, 600]]


def test_ticks_in_a_gap_are_left_out_and_counted(episodes):
    writer = episodes.begin()
    write_setpoints(writer, range(0, 3001, 10))
    write_frames(writer, [t for t in range(0, 3001, 100) if not 1000 < t < 1900])
    steps = read_steps(writer.close(), RGB)
    ticks = ((steps.ticks_ns - steps.info.started_ns) // MS).tolist()
    assert ticks == [0, 200, 400, 600, 800, 1000, 1200, 2200, 2400, 2600, 2800]
    assert steps.skipped == 4  # 1400, 1600, 1800, and 2000, whose past frame is missing
    assert seen_ms(steps)[6:8] == [[1000, 1000], [2000, 2200]]


def test_no_action_is_invented_across_a_setpoint_gap(episodes):
    writer = episodes.begin()
    write_setpoints(writer, [t for t in range(0, 3001, 10) if not 1000 < t < 1500])
    write_frames(writer, range(0, 3001, 100))
    steps = read_steps(writer.close(), RGB)
    ticks = ((steps.ticks_ns - steps.info.started_ns) // MS).tolist()
    assert ticks == [0, 200, 400, 600, 800, 1600, 1800, 2000, 2200, 2400, 2600, 2800]
    np.testing.assert_allclose(steps.actions, [[0.02, 0.0]] * 12, atol=1e-6)


def test_state_observations(episodes):
    contract = load_contract('planar_state')
    writer = episodes.begin('planar_state')
    episodes.fill(writer, 2.0, images=False)
    steps = read_steps(writer.close('success'), contract)
    assert steps.observations.dtype == np.float32
    assert steps.observations.shape == (10, 18)
    assert steps.index.shape == (10, 2)
    newest = steps.observations[steps.index[:, -1]]
    times = np.arange(10) * 0.2
    np.testing.assert_allclose(newest[:, 0], 0.3 + 0.01 * times, atol=1e-6)
    np.testing.assert_allclose(newest[:, 2], 0.4 + 0.01 * np.arange(10), atol=1e-6)
    np.testing.assert_allclose(steps.actions, [[0.002, 0.01]] * 10, atol=1e-7)


def test_the_wrong_number_of_objects_names_the_bag(episodes):
    writer = episodes.begin('planar_state')
    start = writer.info.started_ns
    for k in range(10):
        stamp = start + k * 100 * MS
        writer.write(topics.TWIN_OBJECTS, stamp, messages.pose_array_cdr(stamp, [[0.0] * 7] * 5))
    write_setpoints(writer, range(0, 1000, 10))
    with pytest.raises(BadEpisode, match='room for 4 objects, but the twin has 5'):
        read_steps(writer.close(), load_contract('planar_state'))


@pytest.mark.parametrize('name', ['planar_rgb', 'planar_state'])
def test_live_and_offline_give_the_same_bytes(episodes, name):
    """Play the bag's raw messages into the live window and tick as the policy node does."""
    rclpy_serialization = pytest.importorskip('rclpy.serialization')
    from geometry_msgs.msg import PoseArray, PoseStamped
    from sensor_msgs.msg import CompressedImage

    types = {
        topics.CAMERA_COMPRESSED: CompressedImage,
        topics.TCP_SETPOINT: PoseStamped,
        topics.TWIN_OBJECTS: PoseArray,
    }
    contract = load_contract(name)
    writer = episodes.begin(name)
    rng = np.random.default_rng(1)
    start = writer.info.started_ns
    write_setpoints(writer, range(0, 4001, 10))
    poses = np.tile([0.4, 0.1, 0.04, 0.0, 0.0, 0.0, 1.0], (4, 1))
    for time_ms in np.sort(rng.integers(0, 4000, 60)):
        stamp = start + int(time_ms) * MS
        late = stamp + int(rng.integers(0, 150)) * MS  # jitter: some frames overtake others
        rgb = rng.integers(0, 256, (360, 640, 3), np.uint8)
        jpeg = encode_jpeg(np.repeat(np.repeat(rgb[::40, ::40], 40, 0), 40, 1))
        writer.write(topics.CAMERA_COMPRESSED, late, messages.compressed_image_cdr(stamp, jpeg))
        writer.write(
            topics.TWIN_OBJECTS, late, messages.pose_array_cdr(stamp, poses + time_ms * 1e-5)
        )
    path = writer.close()
    steps = read_steps(path, contract)
    live = observation_window(contract)
    received = list(EpisodeReader(path).raw(*live.topics))
    compared = 0
    first = int(steps.ticks_ns[0])
    for tick in range(first, int(steps.ticks_ns[-1]) + 1, contract.period_ns):
        while received and received[0][1] <= tick:
            topic, _, data = received.pop(0)
            live.add(topic, rclpy_serialization.deserialize_message(data, types[topic]))
        try:
            observation = live.at(tick)
        except StaleObservation:
            assert tick not in steps.ticks_ns
            continue
        row = steps.ticks_ns.tolist().index(tick)
        offline = steps.observations[steps.index[row]]
        assert observation.tobytes() == offline.tobytes()
        assert observation.shape == offline.shape == contract.observation_shape
        compared += 1
    assert compared == len(steps.ticks_ns) >= 10
