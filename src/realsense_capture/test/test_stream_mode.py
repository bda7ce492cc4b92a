import pytest

from ibc_contract.errors import IbcError
from realsense_capture.stream_mode import StreamMode, choose_mode

WANTED = StreamMode(640, 360, 30)
USB2 = ((1280, 720, 6), (640, 480, 30), (640, 480, 15), (424, 240, 30), (424, 240, 15))


def chosen(*offered, wanted=WANTED):
    mode = choose_mode(wanted, [StreamMode(*o) for o in offered])
    return mode.width, mode.height, mode.fps


@pytest.mark.parametrize(
    ('offered', 'expected'),
    [
        (((640, 360, 30), (640, 480, 30), (1280, 720, 30)), (640, 360, 30)),
        (((640, 360, 15), (640, 360, 60), (640, 360, 6)), (640, 360, 15)),
        (((640, 360, 15), (424, 240, 30)), (640, 360, 15)),  # a size that was asked for
        (((640, 360, 6), (424, 240, 30)), (424, 240, 30)),  # but not at a useless rate
        (USB2, (424, 240, 30)),  # never another shape
        (((1280, 720, 6), (640, 480, 30)), (1280, 720, 6)),
    ],
)
def test_the_closest_mode_of_the_same_shape_is_taken(offered, expected):
    assert chosen(*offered) == expected


def test_a_low_rate_that_was_asked_for_is_no_drawback():
    assert chosen((640, 360, 6), (640, 360, 30), wanted=StreamMode(640, 360, 6)) == (640, 360, 6)


@pytest.mark.parametrize(
    ('offered', 'said'),
    [((), 'no colour stream'), (((640, 480, 30),), 'offered: 640x480 at 30 Hz')],
)
def test_another_shape_is_no_substitute(offered, said):
    with pytest.raises(IbcError, match=f'no mode has the shape of 640x360; .*{said}'):
        chosen(*offered)
