"""Replay against a driver that integrates commands exactly, without ROS."""

import json
import threading

import numpy as np
import pytest

from demo_recorder.replay import Replay
from demo_recorder.tracking import LATENCY_S, farthest_off, make_track, read_tracks, tracking_error
from ibc_contract.errors import BadEpisode, IbcError


class PerfectArm:
    """The setpoint jumps to where commands lead it; stamps advance one period per command."""

    def __init__(self, home=(0.24, 0.0), rate_hz=500.0, wall=None):
        self.home_xy = np.array(home)
        self.xy = self.home_xy.copy()
        self.period_ns = round(1e9 / rate_hz)
        self.wall = wall
        self.moves = []
        self.homed = 0
        self.clock_ns = 10**18
        self.zero_ns = 0
        self.samples = []

    def home(self):
        self.homed += 1

    def move(self, delta):
        self.moves.append(delta)
        self.samples.append((self.clock_ns, self.xy.copy()))
        self.clock_ns += self.period_ns
        self.xy = self.xy + delta
        if self.wall is not None:
            self.xy = np.minimum(self.xy, self.wall)

    def setpoint(self):
        return self.xy

    def begin_recording(self):
        self.zero_ns = self.clock_ns
        self.samples = []

    def recorded(self):
        track = make_track([*self.samples, (self.clock_ns, self.xy)], self.zero_ns)
        return track, track


def replay(path, arm, rate_hz=50.0):
    return Replay(path, arm, rate_hz, 0.2, threading.Event())


def test_a_perfect_arm_follows_exactly(episodes):
    path = episodes.make(0.5)
    arm = PerfectArm(rate_hz=50.0)
    report = replay(path, arm).run()
    assert arm.homed == 1
    assert report.commands >= 25
    assert report.setpoint.max_mm < 0.05  # interpolation between commands
    assert report.setpoint.delay_ms == 0.0
    np.testing.assert_allclose(arm.xy, read_tracks(path)[0].xy[-1], atol=1e-9)
    assert json.loads(json.dumps(report.to_dict()))['setpoint']['samples'] > 20
    assert report.line().startswith(f'replayed {path} (0.5 s): setpoint error mean 0.0')


def test_the_approach_keeps_its_speed(episodes):
    arm = PerfectArm(home=(0.2, -0.1), rate_hz=50.0)
    replay(episodes.make(0.2), arm).run()
    steps = np.linalg.norm(arm.moves, axis=1)
    assert steps.max() <= 0.2 / 50.0 + 1e-12
    assert steps[0] == pytest.approx(0.2 / 50.0)


def test_a_start_out_of_reach_is_an_error(episodes, one_line, monkeypatch):
    monkeypatch.setattr('demo_recorder.replay.APPROACH_MARGIN_S', 0.2)
    arm = PerfectArm(wall=np.array([0.25, 0.0]))
    with pytest.raises(IbcError, match='stays 50 mm away from the first one') as caught:
        replay(episodes.make(0.2), arm).run()
    one_line(caught.value)


def test_an_interrupted_replay_is_an_error(episodes):
    stop = threading.Event()
    stop.set()
    with pytest.raises(IbcError, match='was interrupted'):
        Replay(episodes.make(0.2), PerfectArm(), 50.0, 0.2, stop).run()


def test_a_bad_bag_moves_nothing(episodes, tmp_path):
    arm = PerfectArm()
    with pytest.raises(BadEpisode, match=r'no metadata.yaml'):
        replay(tmp_path, arm)
    writer = episodes.begin()
    episodes.camera(writer, range(0, 500, 100))
    with pytest.raises(BadEpisode, match='no messages on tcp_setpoint'):
        replay(writer.close(), arm)
    assert arm.homed == 0


def sine(times_s):
    return np.column_stack([0.3 + 0.1 * np.sin(2 * times_s), 0.05 * np.cos(3 * times_s)])


def track_of(times_s, xy):
    return make_track([(round(t * 1e9), p) for t, p in zip(times_s, xy, strict=True)], 0)


def test_a_delay_is_told_apart_from_an_error():
    times_s = np.arange(0, 10, 0.01)
    recorded = track_of(times_s, sine(times_s))
    live = track_of(times_s, sine(np.maximum(times_s - 0.08, 0)))
    error = tracking_error(recorded, live)
    assert error.delay_ms == pytest.approx(80.0)
    assert error.rms_mm > 8.0
    assert error.rms_without_delay_mm < 0.5


def test_an_offset_is_measured_to_the_point():
    times_s = np.arange(0, 10, 0.01)
    recorded = track_of(times_s, sine(times_s))
    error = tracking_error(recorded, track_of(times_s, sine(times_s) + np.array([3e-3, 4e-3])))
    assert error.mean_mm == pytest.approx(5.0)
    assert error.rms_mm == pytest.approx(5.0)
    assert error.max_mm == pytest.approx(5.0)


def test_samples_outside_the_recording_do_not_count():
    times_s = np.arange(0, 2, 0.01)
    recorded = track_of(times_s, sine(times_s))
    late = np.arange(-1, 5, 0.01)
    assert tracking_error(recorded, track_of(late, sine(np.clip(late, 0, 2)))).samples == 200
    with pytest.raises(IbcError, match='nothing was heard'):
        tracking_error(recorded, track_of([8.0, 9.0], sine(np.array([8.0, 9.0]))))


def test_a_tool_is_off_by_its_distance_from_what_was_commanded_shortly_before():
    stamps = range(0, 10**9, 10**7)
    commanded = make_track([(t, np.array([0.3 + 0.1 * t / 1e9, 0.0])) for t in stamps])
    late = make_track([(t, commanded.at(t / 1e9 - LATENCY_S)) for t in stamps])
    assert farthest_off(commanded, late) == pytest.approx(0.0, abs=1e-9)
    held = make_track([(t, np.array([0.3, 0.004])) for t in stamps])
    assert farthest_off(commanded, held) == pytest.approx(np.hypot(0.1 * (0.99 - 0.2), 0.004))
