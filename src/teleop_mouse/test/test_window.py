import contextlib
import shutil
import socket
import subprocess
import threading

import pytest

from ibc_contract.errors import IbcError
from teleop_mouse import window
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


@contextlib.contextmanager
def server_on_tcp(serve):
    """Call `serve` with each connection to a display as ssh makes them; yields its name."""
    with socket.create_server(('127.0.0.1', 0)) as server:
        port = server.getsockname()[1]
        if port < X_TCP_BASE_PORT:
            pytest.skip('the free port is below those of X')

        def accept():
            with contextlib.suppress(OSError):
                while True:
                    serve(server.accept()[0])

        threading.Thread(target=accept, daemon=True).start()
        yield f'127.0.0.1:{port - X_TCP_BASE_PORT}.0'
        server.shutdown(socket.SHUT_RDWR)


def test_a_server_on_tcp_is_found_as_with_ssh_and_its_refusal_too():
    refusal = b'\x00\x04\x0b\x00\x00\x00\x01\x00nope'  # failed, 4 letters, X11.0, 1 word

    def refuse(connection):
        with connection:
            if connection.recv(1):  # `_answers` only connects
                connection.sendall(refusal)

    with server_on_tcp(refuse) as name, pytest.raises(IbcError, match='set XAUTHORITY') as caught:
        check_display({'DISPLAY': name})
    assert f'at DISPLAY={name} does not let this user in' in str(caught.value)


def test_a_server_that_says_nothing_is_given_up(monkeypatch):
    monkeypatch.setattr(window, 'WELCOME_TIMEOUT_S', 1.0)
    silent = []
    with server_on_tcp(silent.append) as name, pytest.raises(IbcError, match='does not speak like'):
        check_display({'DISPLAY': name})


def test_without_libxcb_it_is_enough_that_a_server_answers(monkeypatch):
    monkeypatch.setattr(window, 'WELCOME_PROBE', 'import ctypes; ctypes.CDLL("libnone.so.1")')
    with server_on_tcp(lambda connection: connection.close()) as name:
        assert check_display({'DISPLAY': name}) is None


def authority(file, cookie):
    """Write an authority file with one cookie for every display."""
    words = (b'', b'', b'MIT-MAGIC-COOKIE-1', cookie)  # address, display, name, data
    wild = b'\xff\xff'
    file.write_bytes(wild + b''.join(len(word).to_bytes(2, 'big') + word for word in words))
    return str(file)


@pytest.mark.display
def test_a_server_that_wants_a_cookie_lets_in_who_has_it(tmp_path):
    if shutil.which('Xvfb') is None:
        pytest.skip('Xvfb is not installed')
    right = authority(tmp_path / 'right', bytes(range(16)))
    wrong = authority(tmp_path / 'wrong', bytes(16))
    command = ['Xvfb', '-displayfd', '1', '-auth', right, '-nolisten', 'tcp']
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert server.stdout is not None
        name = f':{server.stdout.readline().strip()}'
        for _ in range(3):  # the server begins anew after each
            check_display({'DISPLAY': name, 'XAUTHORITY': right})
        with pytest.raises(IbcError, match=f'at DISPLAY={name} does not let this user in'):
            check_display({'DISPLAY': name, 'XAUTHORITY': wrong})
    finally:
        server.terminate()
        server.wait()


@pytest.mark.display
def test_a_local_server_is_found(desktop):
    assert check_display({'DISPLAY': desktop.name}) == (1500, 1000)
    check_display({'DISPLAY': f'{desktop.name}.0'})


def test_keys_are_found_in_both_cases_and_unknown_ones_do_nothing():
    assert find_key(ord('x')) is find_key(ord('X')) is not None
    assert find_key(ord('z')) is None
    assert find_key(255) is None
    assert len({key.code for key in KEYS}) == len(KEYS)
