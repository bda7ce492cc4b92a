import json
import os

import numpy as np
import pytest

from demo_recorder.summary import episode_summary
from demo_recorder.verify import Severity, verify_episode
from ibc_contract import messages, topics
from ibc_contract.episode_reader import EpisodeReader
from ibc_contract.errors import BadEpisode

STATE_CONTRACT = 'planar_state'


def line(time_s):
    return 0.3 + 0.06 * time_s, 0.0


def codes(path, severity=None):
    return [f.code for f in verify_episode(path) if severity in (None, f.severity)]


def test_a_good_episode_has_no_findings(episodes):
    assert verify_episode(episodes.make()) == []


def test_an_unlabelled_episode_is_only_a_warning(episodes):
    writer = episodes.begin()
    episodes.driver(writer, range(0, 2001, 10))
    episodes.camera(writer, range(0, 2001, 100))
    (finding,) = verify_episode(writer.close())
    assert (finding.code, finding.severity) == ('unlabelled', Severity.WARNING)
    assert str(finding) == 'warning: is neither marked as success nor as failure'


def test_no_images_is_an_error(episodes):
    writer = episodes.begin()
    episodes.driver(writer, range(0, 2001, 10))
    assert codes(writer.close('success'), Severity.ERROR) == ['no-images']


def test_missing_topics(episodes):
    writer = episodes.begin()
    episodes.camera(writer, range(0, 2001, 100))
    found = verify_episode(writer.close('success'))
    assert {(f.code, f.severity, f.message) for f in found} == {
        ('missing-topic', 'warning', 'has no messages on joint_states'),
        ('missing-topic', 'warning', 'has no messages on tcp_pose'),
        ('missing-topic', 'error', 'has no messages on tcp_setpoint'),
    }


def test_a_state_contract_needs_objects_and_no_images(episodes):
    writer = episodes.begin(STATE_CONTRACT)
    episodes.driver(writer, range(0, 2001, 10))
    path = writer.close('success')
    assert codes(path) == ['missing-topic']
    writer = episodes.begin(STATE_CONTRACT)
    episodes.driver(writer, range(0, 2001, 10))
    poses = np.tile([0.4, 0.1, 0.04, 0.0, 0.0, 0.0, 1.0], (4, 1))
    for time_ms in range(0, 2001, 50):
        stamp = writer.info.started_ns + time_ms * 1_000_000
        writer.write(topics.TWIN_OBJECTS, stamp, messages.pose_array_cdr(stamp, poses))
    assert codes(writer.close('success')) == []


def test_gaps_are_measured(episodes):
    writer = episodes.begin()
    episodes.driver(writer, [t for t in range(0, 4001, 10) if not 1000 < t < 1300])
    episodes.camera(writer, [t for t in range(0, 4001, 100) if not 2000 < t < 3000])
    found = verify_episode(writer.close('success'))
    assert [f.code for f in found] == ['gap'] * 4 + ['skipped']
    text = ' | '.join(f.message for f in found)
    assert '1 gaps over 0.1 s on tcp_setpoint, the longest 0.30 s' in text
    assert '1 gaps over 0.25 s on camera/color/image_raw/compressed, the longest 1.00 s' in text
    assert found[-1].message == '6 of 20 steps cannot be used'


def test_stamps_out_of_order(episodes):
    writer = episodes.begin()
    episodes.driver(writer, range(0, 2001, 10))
    episodes.camera(writer, range(0, 2001, 100))
    image = messages.compressed_image_cdr(writer.info.started_ns, b'')
    writer.write(topics.CAMERA_COMPRESSED, writer.info.started_ns + 2_005_000_000, image)
    assert codes(writer.close('success'), Severity.WARNING) == ['order']


def test_stamps_from_the_future_mean_that_clocks_disagree(episodes):
    writer = episodes.begin()
    episodes.driver(writer, range(0, 2001, 10))
    episodes.camera(writer, range(0, 2001, 100), delay_ms=-100)
    (finding,) = verify_episode(writer.close('success'))
    assert finding.code == 'clock'
    assert '0.100 s ahead' in finding.message


def test_a_frame_that_is_no_image_is_found(episodes):
    writer = episodes.begin()
    episodes.driver(writer, range(0, 2001, 10))
    for time_ms in range(0, 2001, 100):
        stamp = writer.info.started_ns + time_ms * 1_000_000
        image = messages.compressed_image_cdr(stamp, b'no image')
        writer.write(topics.CAMERA_COMPRESSED, stamp, image)
    (finding,) = verify_episode(writer.close('success'))
    assert (finding.code, finding.severity) == ('steps', 'error')
    assert 'not a JPEG' in finding.message


def test_nothing_moves(episodes):
    assert codes(episodes.make(path=lambda t: (0.3, 0.0))) == ['still']


@pytest.mark.parametrize(
    ('tool', 'expected'),
    [
        (lambda t: line(max(0.0, t - 0.15)), []),  # it lags
        (lambda t: line(min(t, 0.5)), ['tracking']),  # it is held from 0.5 s on
        (lambda t: (line(t)[0], 0.02 if 1.0 < t < 1.3 else 0.0), ['tracking']),
    ],
)
def test_a_tool_that_does_not_go_where_it_was_told(episodes, tool, expected):
    writer = episodes.begin()
    episodes.driver(writer, range(0, 2001, 10), path=line, tool=tool)
    episodes.camera(writer, range(0, 2001, 100))
    assert codes(writer.close('success'), Severity.WARNING) == expected


@pytest.mark.parametrize(
    ('facts', 'reason'),
    [
        ({'contract_hash': '0' * 16}, 'was made under contract planar_rgb (0000000000000000)'),
        ({'contract_name': 'circular'}, "unknown contract 'circular'"),
    ],
)
def test_another_contract_is_an_error(episodes, facts, reason):
    found = verify_episode(episodes.make(**facts))
    assert [f.code for f in found] == ['contract']
    assert reason in found[0].message


def test_what_cannot_be_read_is_one_finding(episodes, tmp_path):
    path = episodes.make()
    os.truncate(next(path.glob('*.mcap')), 500)
    open_one = episodes.begin()
    for bad in (path, open_one.path, tmp_path / 'nowhere'):
        (finding,) = verify_episode(bad)
        assert (finding.code, finding.severity) == ('unreadable', 'error')
        assert '\n' not in finding.message


def test_the_summary_can_be_json_and_holds_the_counts(episodes):
    path = episodes.make(seed=3, note='a "note"')
    summary = json.loads(json.dumps(episode_summary(path)))
    assert (summary['task'], summary['outcome'], summary['seed']) == ('push_red', 'success', 3)
    assert summary['started'] == '2023-11-14T22:13:20+00:00'
    assert summary['duration_s'] == 2.0
    assert summary['messages'] == 3 * 201 + 21
    camera = summary['topics'][topics.CAMERA_COMPRESSED]
    assert camera['type'] == 'sensor_msgs/msg/CompressedImage'
    assert (camera['messages'], camera['rate_hz'], camera['longest_gap_s']) == (21, 10.0, 0.1)
    assert summary['topics'][topics.TCP_POSE]['rate_hz'] == 100.0
    assert summary['size_bytes'] == EpisodeReader(path).file.stat().st_size
    assert len(summary['sha256']) == 64


def test_the_summary_of_a_bad_bag_is_an_error(tmp_path):
    with pytest.raises(BadEpisode):
        episode_summary(tmp_path)
