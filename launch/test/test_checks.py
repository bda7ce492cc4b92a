"""Single checks of `ibc doctor`."""

import socket

import pytest

from ibc_bringup import checks


@pytest.fixture(autouse=True)
def no_display(monkeypatch):
    for name in ('DISPLAY', 'WAYLAND_DISPLAY', 'QT_QPA_PLATFORM'):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ('environment', 'named'),
    [
        ({}, 'DISPLAY is not set'),
        ({'DISPLAY': ':55'}, 'no X server answers at DISPLAY=:55'),
        ({'WAYLAND_DISPLAY': 'wayland-0'}, 'DISPLAY is not set'),
        ({'DISPLAY': 'nonsense'}, 'nonsense'),
    ],
)
def test_a_display_on_which_the_window_would_not_open(monkeypatch, environment, named):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    finding = checks.display()
    assert finding.status == 'warn'
    assert named in finding.detail
    assert finding.remedy


def test_a_display_that_answers_and_lets_us_in(monkeypatch):
    monkeypatch.setattr('teleop_mouse.window.WELCOME_PROBE', '')
    with socket.socket(socket.AF_UNIX) as server:
        server.bind('\0/tmp/.X11-unix/X4711')
        server.listen()
        monkeypatch.setenv('DISPLAY', ':4711')
        assert checks.display() == checks.Finding('Display', 'ok', 'DISPLAY=:4711')
        monkeypatch.setattr('teleop_mouse.window.WELCOME_PROBE', 'raise SystemExit(3)')
        assert 'does not let this user in; set XAUTHORITY' in checks.display().detail
