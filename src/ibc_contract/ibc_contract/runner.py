"""Run one node per process and close it while it can still publish."""

import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from types import FrameType

import rclpy
from rclpy._rclpy_pybind11 import RCLError, UnknownROSArgsError
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from rclpy.utilities import remove_ros_args

from ibc_contract.ending_signals import heeded_signals
from ibc_contract.errors import IbcError
from ibc_contract.node_help import node_help, unknown_word
from ibc_contract.reach import missing_settings
from ibc_contract.ros import refuse_unknown_parameters


class _Interrupts:
    """Counts the ending signals, so that the first one interrupts nothing that is half done.

    A second one interrupts a constructor or callback that hangs; once the node is being closed,
    they are ignored. Who starts a node may have SIGINT and SIGTERM ignored or blocked until here,
    so that none interrupts an import; one that was blocked counts now.
    """

    def __init__(self) -> None:
        self.count = 0
        self.closing = False
        self._signals = heeded_signals()
        for number in self._signals:
            signal.signal(number, self._handle)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, self._signals)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.count += 1
        if self.count > 1 and not self.closing:
            raise KeyboardInterrupt

    def ignore(self) -> None:
        """Ignore them until the process has ended."""
        # While the interpreter ends, which takes a moment with PyTorch, it gives every signal that
        # has a handler its default action back, and a Ctrl-C would kill the process.
        self.closing = True
        for number in self._signals:
            signal.signal(number, signal.SIG_IGN)


def _spin(node: Node, interrupts: _Interrupts) -> int:
    """Spin until an interrupt or the node's `exit_code`; return the exit code."""
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    try:
        # spin() would wait in C, where Python never sees a signal.
        while rclpy.ok() and not interrupts.count and getattr(node, 'exit_code', None) is None:
            executor.spin_once(timeout_sec=0.1)
    finally:
        # One that is left to the garbage collector finds its context gone, and says so.
        executor.shutdown(timeout_sec=0.0)
    return getattr(node, 'exit_code', None) or 0


def run(
    make_node: Callable[[], Node],
    args: Sequence[str] | None = None,
    config_types: Sequence[type] = (),
) -> int:
    """Spin `make_node()` until an ending signal or its `exit_code`; return the exit code.

    The node declares its parameters when it is made; others that somebody sets are refused. It has
    a method `close`, bounded in time: it stops threads, leaves hardware safe, waits for last
    messages. It may have an `exit_code`, None while it wants to go on.

    rclpy's own signal handlers would invalidate the context before a last message could be sent, so
    they are not installed. An IbcError becomes one line on stderr and exit code 1. `--help` tells
    the parameters that `config_types` declare; ROS itself would start the node all the same, as
    with any other word before `--ros-args`.
    """
    try:
        words = remove_ros_args(sys.argv if args is None else ['', *args])[1:]
    except (RCLError, UnknownROSArgsError) as error:  # such as a parameter file that is no such
        sys.stderr.write(f'error: {" ".join(str(error).split())}\n')
        return 1
    if {'--help', '-h'} & set(words):
        sys.stdout.write(node_help(config_types))
        return 0
    if words:
        sys.stderr.write(f'error: {unknown_word(words[0])}\n')
        return 2
    interrupts = _Interrupts()
    os.environ.update(missing_settings())
    rclpy.init(
        args=list(args) if args is not None else None,
        signal_handler_options=SignalHandlerOptions.NO,
    )
    node = None
    code = 0
    try:
        if interrupts.count:
            return code
        node = make_node()
        refuse_unknown_parameters(node, sys.argv if args is None else args)
        code = _spin(node, interrupts)
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except IbcError as error:
        sys.stderr.write(f'error: {error}\n')
        code = 1
    except Exception:
        traceback.print_exc()
        code = 2
    finally:
        interrupts.ignore()  # another Ctrl-C must not cut the clean-up short
        if node is not None:
            node.close()  # type: ignore[attr-defined]
            node.destroy_node()
        rclpy.try_shutdown()
    return code
