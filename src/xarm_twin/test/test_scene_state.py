"""Scene states on the wire: nothing lost in packing, only the newest delivered."""

import socket
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from waiting import wait_for
from xarm_twin.loopback import PortUnavailable
from xarm_twin.scene_state import BadSceneState, SceneState, SceneStateClient, SceneStateServer


def make_state(stamp_ns: int, objects: int = 2) -> SceneState:
    rng = np.random.default_rng(stamp_ns % 1000)
    return SceneState(stamp_ns, rng.normal(size=6), rng.normal(size=(objects, 7)), 'push_red')


def assert_same(one: SceneState, other: SceneState) -> None:
    assert (one.stamp_ns, one.task) == (other.stamp_ns, other.task)
    np.testing.assert_array_equal(one.q, other.q)
    np.testing.assert_array_equal(one.objects, other.objects)


@settings(deadline=None)
@given(stamp=st.integers(0, 2**62), objects=st.integers(0, 20), task=st.text(max_size=30))
def test_packing_loses_nothing(stamp: int, objects: int, task: str) -> None:
    rng = np.random.default_rng(0)
    state = SceneState(stamp, rng.normal(size=6), rng.normal(size=(objects, 7)), task)
    assert_same(SceneState.unpack(state.pack()), state)


@settings(deadline=None)
@given(st.binary(max_size=64))
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(BadSceneState):
        SceneState.unpack(data)


def test_truncated_state_is_refused() -> None:
    with pytest.raises(BadSceneState, match='2 objects'):
        SceneState.unpack(make_state(1).pack()[:-8])


def test_clients_get_published_states() -> None:
    with SceneStateServer() as server:
        clients = [SceneStateClient(port=server.port) for _ in range(2)]
        try:
            assert clients[0].newest() is None
            stamp = 0

            def both_have_some() -> bool:
                nonlocal stamp
                stamp += 1
                server.publish(make_state(stamp))
                return all(client.newest() is not None for client in clients)

            assert wait_for(both_have_some)
            final = make_state(10**9)
            server.publish(final)
            for client in clients:
                state = client.wait_newer(final.stamp_ns - 1, timeout=10.0)
                assert state is not None
                assert_same(state, final)
            assert clients[0].wait_newer(final.stamp_ns, timeout=0.05) is None
        finally:
            for client in clients:
                client.close()


def test_a_client_that_does_not_read_delays_nobody() -> None:
    with SceneStateServer() as server, socket.create_connection(('127.0.0.1', server.port)):
        client = SceneStateClient(port=server.port)
        try:
            assert wait_for(lambda: client.connected)
            started = time.monotonic()
            for stamp in range(1, 5000):
                server.publish(make_state(stamp))
            assert time.monotonic() - started < 5.0
            server.publish(make_state(10**6))
            assert client.wait_newer(10**6 - 1, timeout=10.0) is not None
        finally:
            client.close()


def test_client_comes_back_when_the_server_does() -> None:
    with SceneStateServer() as server:
        port = server.port
        client = SceneStateClient(port=port)
        assert wait_for(lambda: client.connected)
    try:
        assert wait_for(lambda: not client.connected)
        with SceneStateServer(port=port) as server:
            assert wait_for(lambda: client.connected)
            assert wait_for(lambda: server.publish(make_state(7)) or client.newest() is not None)
    finally:
        client.close()


def test_taken_port_is_named() -> None:
    with (
        SceneStateServer() as server,
        pytest.raises(PortUnavailable, match=f'127.0.0.1:{server.port} is in use'),
    ):
        SceneStateServer(port=server.port)
