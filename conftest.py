"""Fixtures shared by every package's tests."""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from ibc_contract.private_domain import private_domain
from waiting import PATIENCE_S

# pytest names tests after their folders: the first one in launch/ would hide ROS's own `launch`.
with contextlib.suppress(ImportError):
    import launch  # noqa: F401

# Hypothesis gives an example 0.2 s, which a busy machine exceeds at any time. The examples are the
# same in every run, so that a red run is red again; --hypothesis-profile=explore draws new ones.
with contextlib.suppress(ImportError):
    import hypothesis

    hypothesis.settings.register_profile('explore', deadline=None)
    hypothesis.settings.register_profile('repeatable', deadline=None, derandomize=True)
    hypothesis.settings.load_profile('repeatable')

# A shell that starts a test run in the background lets it ignore Ctrl-C, and with it all that it
# starts; tests of Ctrl-C need it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:  # as after nohup
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

os.environ.setdefault('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')


@dataclass
class Ros:
    """A private ROS graph for one test."""

    context: Any
    domain_id: int

    @property
    def env(self) -> dict[str, str]:
        """Environment for child processes on the same graph."""
        return {**os.environ, 'ROS_DOMAIN_ID': str(self.domain_id)}

    def spin_until(
        self, predicate: Callable[[], bool], *nodes: Any, timeout: float = PATIENCE_S
    ) -> bool:
        """Spin `nodes` until `predicate()` or `timeout` [s]; return the last answer."""
        from rclpy.executors import SingleThreadedExecutor

        executor = SingleThreadedExecutor(context=self.context)
        for node in nodes:
            executor.add_node(node)
        try:
            deadline = time.monotonic() + timeout
            while not predicate() and time.monotonic() < deadline:
                executor.spin_once(timeout_sec=0.02)
        finally:
            for node in nodes:
                executor.remove_node(node)
            executor.shutdown()
        return predicate()


@pytest.fixture
def ros() -> Iterator[Ros]:
    """An initialised rclpy context in a domain of its own."""
    with private_graph() as graph:
        yield graph


@pytest.fixture(scope='module')
def make_ros() -> Iterator[Callable[[], Ros]]:
    """Makes such contexts for the nodes that the tests of a module share."""
    with contextlib.ExitStack() as graphs:
        yield lambda: graphs.enter_context(private_graph())


@contextlib.contextmanager
def private_graph() -> Iterator[Ros]:
    import rclpy
    from rclpy.context import Context

    with private_domain() as domain_id:
        context = Context()
        rclpy.init(context=context, domain_id=domain_id)
        try:
            yield Ros(context, domain_id)
        finally:
            rclpy.try_shutdown(context=context)
