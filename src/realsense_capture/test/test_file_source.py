import time
from pathlib import Path

import pytest

pytest.importorskip('pyrealsense2')

from ibc_contract.errors import IbcError
from realsense_capture.file_source import FileSource
from realsense_capture.source import EndOfRecording


def test_a_recording_plays_to_its_end_with_exact_pixels_and_present_stamps(recording):
    source = FileSource(recording, repeat=False)
    source.open()
    frames = []

    def play():
        while True:
            frame = source.read(0.3)
            if frame is not None:
                frames.append(frame)

    with pytest.raises(EndOfRecording, match='played to its end'):
        play()
    assert source.intrinsics().fx == 461.0
    source.close()
    assert len(frames) >= 15
    for frame in frames:
        assert (frame.rgb == frame.rgb[0, 0, 0]).all()
        assert abs(frame.stamp_ns - time.time_ns()) < 60e9
    greys = [int(frame.rgb[0, 0, 0]) for frame in frames]
    assert greys == sorted(set(greys))


def test_a_bag_of_an_older_librealsense_plays():
    """Written with its recorder: six frames of 64x36, frame k in grey 10 k."""
    source = FileSource(Path(__file__).with_name('librealsense_2_56.bag'), repeat=True)
    source.open()
    frames = [frame for _ in range(20) if (frame := source.read(0.5)) is not None][:6]
    source.close()
    assert {int(frame.rgb[0, 0, 0]) for frame in frames} <= {0, 10, 20, 30, 40, 50}
    assert frames[0].rgb.shape == (36, 64, 3)
    assert len({frame.stamp_ns for frame in frames}) == 6


def test_a_repeated_recording_keeps_increasing_stamps(record):
    source = FileSource(record(5), repeat=True)
    source.open()
    frames = [frame for _ in range(40) if (frame := source.read(0.5)) is not None][:12]
    source.close()
    stamps = [frame.stamp_ns for frame in frames]
    assert len(frames) == 12
    assert stamps == sorted(set(stamps))


@pytest.mark.parametrize(
    ('name', 'content', 'message'),
    [
        ('none.db3', None, 'no recording at .*none.db3: set the parameter path'),
        ('movie.mp4', b'x', 'not a librealsense recording'),
        ('broken.db3', b'not a database', 'cannot play .*broken.db3'),
    ],
)
def test_bad_recordings_are_refused_in_one_line(tmp_path, name, content, message):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(IbcError, match=message) as caught:
        FileSource(path).open()
    assert '\n' not in str(caught.value)
