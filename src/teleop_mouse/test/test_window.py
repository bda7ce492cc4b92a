import socket
import threading

import pytest

from ibc_contract.errors import IbcError
from teleop_mouse.keys import KEYS, find_key
from teleop_mouse.window import X_TCP_BASE_PORT, check_display


@pytest.mark.parametrize(
    ('environment', 'message'),
    [
        ({}, 'DISPLAY is not set'),
        ({'DISPLAY': ''}, 'DISPLAY is not set'),
        ({'DISPLAY': 'nonsense'}, "DISPLAY='nonsense' is not like :0"),
        ({'DISPLAY': ':9876'}, 'no X server answers at DISPLAY=:9876'),
        ({'DISPLAY': ':0', 'QT_QPA_PLATFORM': 'offscreen'}, 'OpenCV only has xcb; unset it'),
    ],
)
def test_a_display_that_cannot_work_is_refused_in_one_line(environment, message):
    with pytest.raises(IbcError, match=message) as caught:
        check_display(environment)
    assert '\n' not in str(caught.value)


def test_a_server_on_tcp_is_found_as_with_ssh():
    with socket.create_server(('127.0.0.1', 0)) as server:
        port = server.getsockname()[1]
        if port < X_TCP_BASE_PORT:
            pytest.skip('the free port is below those of X')
        accept = threading.Thread(target=server.accept)
        accept.start()
        check_display({'DISPLAY': f'127.0.0.1:{port - X_TCP_BASE_PORT}.0'})
        accept.join(5)


@pytest.mark.display
def test_a_local_server_is_found(desktop):
    check_display({'DISPLAY': desktop.name})
    check_display({'DISPLAY': f'{desktop.name}.0'})


def test_keys_are_found_in_both_cases_and_unknown_ones_do_nothing():
    assert find_key(ord('x')) is find_key(ord('X')) is not None
    assert find_key(ord('z')) is None
    assert find_key(255) is None
    assert len({key.code for key in KEYS}) == len(KEYS)
