import socket
import struct
import threading
import time

import pytest

from waiting import wait_for
from xarm_planar_driver.status_reports import StatusReports


@pytest.fixture
def reports(emulator):
    listener = StatusReports(emulator.host, emulator.report_ports['normal'])
    listener.start()
    yield listener
    listener.close()


def test_tells_state_mode_and_error(reports, emulator):
    emulator.state.enable(8, True)
    emulator.state.set_mode(1)
    emulator.state.set_state(0)

    def shows(**expected):
        newest = reports.newest()
        return newest is not None and all(
            getattr(newest, name) == value for name, value in expected.items()
        )

    assert wait_for(lambda: shows(mode=1, state=2, error=0))
    emulator.state.fault(31)
    assert wait_for(lambda: shows(mode=0, state=4, error=31))


def test_tells_sensitivity_load_and_offset(reports, emulator):
    offset, load = (1.0, -2.0, 152.4, 0.1, 0.2, 0.3), (0.25, 3.0, 4.0, 70.0)
    emulator.state.configure(collision_sensitivity=5, tcp_offset=offset, tcp_load=load)
    report = reports.after(time.monotonic() + 0.05, time.monotonic() + 20.0)
    assert report is not None
    assert report.collision_sensitivity == 5
    assert report.tcp_offset_mm == pytest.approx(offset)
    assert report.tcp_load_mm == pytest.approx(load)


def test_a_report_is_waited_for_until_a_deadline(reports):
    now = time.monotonic()
    assert reports.after(now + 1000.0, now + 0.3) is None


def test_reports_are_stamped_on_arrival(reports):
    begin = time.monotonic()
    assert wait_for(lambda: reports.newest() is not None)
    assert begin <= reports.newest().received <= time.monotonic()


def test_nobody_there_is_no_report_and_closes_quickly():
    with socket.create_server(('127.0.0.1', 0)) as server:
        port = server.getsockname()[1]
    listener = StatusReports('127.0.0.1', port)
    listener.start()
    time.sleep(0.1)
    assert listener.newest() is None
    begin = time.monotonic()
    listener.close()
    assert time.monotonic() - begin < 10.0


@pytest.mark.parametrize('frame', [struct.pack('>I', 7) + b'abc', struct.pack('>I', 2**31), b'\0'])
def test_nonsense_on_the_port_is_no_report(frame):
    with socket.create_server(('127.0.0.1', 0)) as server:
        server.settimeout(None)

        def serve():
            client, _ = server.accept()
            client.sendall(frame)
            client.close()

        threading.Thread(target=serve, daemon=True).start()
        listener = StatusReports('127.0.0.1', server.getsockname()[1])
        listener.start()
        time.sleep(0.3)
        assert listener.newest() is None
        listener.close()
