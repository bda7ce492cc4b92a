"""Node `replay_bag`: drives the arm with an episode's setpoints and reports the tracking error."""

import json
import math
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pydantic
from diagnostic_msgs.msg import DiagnosticStatus
from geometry_msgs.msg import PoseStamped, Vector3Stamped
from pydantic import Field
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from std_srvs.srv import Trigger

from demo_recorder.replay import Replay
from demo_recorder.tracking import Track, make_track
from ibc_contract import topics
from ibc_contract.errors import IbcError
from ibc_contract.messages import pose_xy, stamp_ns
from ibc_contract.ros import ACQUAINTANCE_S, Diagnostics, declare_config, newest
from ibc_contract.runner import run

POLL_S = 0.02


@pydantic.dataclasses.dataclass(frozen=True)
class ReplayConfig:
    """One field per ROS parameter."""

    bag: Annotated[str, Field(min_length=1, description='folder of the episode')]
    report: Annotated[
        str, Field(description='JSON file to write the tracking error to; empty: none')
    ] = ''
    rate_hz: Annotated[float, Field(ge=5.0, le=50.0, description='rate of the commands [Hz]')] = (
        20.0
    )
    approach_speed: Annotated[
        float, Field(ge=0.01, le=0.25, description='of the setpoint on its way to the start [m/s]')
    ] = 0.1
    timeout_s: Annotated[
        float, Field(ge=1.0, le=600.0, description='patience with driver and homing [s]')
    ] = 60.0


class ReplayNode(Node):
    """Runs one replay in a thread, then ends with exit code 0, or 1 after a one-line error."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__('replay_bag', **kwargs)
        self.exit_code: int | None = None
        self._config = declare_config(self, ReplayConfig)
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._newest: np.ndarray | None = None
        self._heard_s = -math.inf
        self._zero_ns = 0
        self._setpoints: list[tuple[int, np.ndarray]] = []
        self._measured: list[tuple[int, np.ndarray]] = []
        config = self._config
        self._replay = Replay(
            Path(config.bag), self, config.rate_hz, config.approach_speed, self._stop
        )
        self._commands = self.create_publisher(Vector3Stamped, topics.TELEOP_DELTA, newest(10))
        self._home = self.create_client(Trigger, topics.ARM_HOME)
        self.create_subscription(PoseStamped, topics.TCP_SETPOINT, self._on_setpoint, newest(300))
        self.create_subscription(PoseStamped, topics.TCP_POSE, self._on_pose, newest(300))
        self._moves = 0
        self._diagnostics = Diagnostics(self, 'replay')
        self.create_timer(1.0, self._diagnose, clock=Clock(clock_type=ClockType.STEADY_TIME))
        self._thread = threading.Thread(target=self._run, name='replay', daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop sending commands; the driver then holds."""
        self._stop.set()
        self._thread.join(timeout=2.0)

    def _diagnose(self) -> None:
        with self._lock:
            heard_s, setpoints = self._heard_s, len(self._setpoints)
        values = {
            'moves sent': self._moves,
            'setpoints heard': setpoints,
            'setpoint age [ms]': f'{(time.monotonic() - heard_s) * 1e3:.0f}',
        }
        message = 'replaying' if self._moves else 'waiting for the arm'
        self._diagnostics.publish(DiagnosticStatus.OK, message, values)

    def home(self) -> None:
        """Call the driver's service and wait for its answer, then for setpoints. In the thread."""
        deadline = time.monotonic() + self._config.timeout_s
        self._wait_for(
            self._home.service_is_ready,
            deadline,
            f'nobody offers {topics.ARM_HOME}: is the driver running?',
        )
        self._stop.wait(ACQUAINTANCE_S)
        answer = self._home.call_async(Trigger.Request())
        self._wait_for(answer.done, deadline, f'{topics.ARM_HOME} does not answer')
        response = answer.result()
        if response is None or not response.success:
            raise IbcError(f'{topics.ARM_HOME}: {response.message if response else "no answer"}')
        with self._lock:
            self._newest = None  # those from before or during homing do not count
        self._wait_for(
            lambda: self.setpoint() is not None,
            deadline,
            f'no messages on {topics.TCP_SETPOINT}: is the driver running?',
        )

    def move(self, delta: np.ndarray) -> None:
        """Publish one command. In the thread."""
        message = Vector3Stamped()
        message.header.stamp = self.get_clock().now().to_msg()
        message.header.frame_id = topics.LINK_BASE
        message.vector.x, message.vector.y = float(delta[0]), float(delta[1])
        self._commands.publish(message)
        self._moves += 1

    def setpoint(self) -> np.ndarray | None:
        """Newest commanded point, shape (2,) [m]."""
        with self._lock:
            return self._newest

    def begin_recording(self) -> None:
        """Take now for time zero."""
        with self._lock:
            self._zero_ns = self.get_clock().now().nanoseconds
            self._setpoints.clear()
            self._measured.clear()

    def recorded(self) -> tuple[Track, Track]:
        """Setpoints and measured tool points since time zero."""
        with self._lock:
            if not self._setpoints or not self._measured:
                raise IbcError('nothing was heard from the arm during the replay: did it stop?')
            return (
                make_track(self._setpoints, self._zero_ns),
                make_track(self._measured, self._zero_ns),
            )

    def _on_setpoint(self, message: PoseStamped) -> None:
        point = pose_xy(message)
        with self._lock:
            self._newest, self._heard_s = point, time.monotonic()
            self._setpoints.append((stamp_ns(message), point))

    def _on_pose(self, message: PoseStamped) -> None:
        with self._lock:
            self._measured.append((stamp_ns(message), pose_xy(message)))

    def _wait_for(self, condition: Any, deadline: float, complaint: str) -> None:
        while not condition():
            if self._stop.wait(POLL_S):
                raise IbcError('the replay was interrupted')
            if time.monotonic() > deadline:
                raise IbcError(f'{complaint} (waited {self._config.timeout_s:.0f} s)')

    def _run(self) -> None:
        code = 1
        try:
            report = self._replay.run()
            self.get_logger().info(report.line())
            if self._config.report:
                _write_report(Path(self._config.report), report.to_dict())
            code = 0
        except IbcError as error:
            if not self._stop.is_set():
                sys.stderr.write(f'error: {error}\n')
        except Exception:
            self.get_logger().error(traceback.format_exc())
            code = 2
        self.exit_code = code


def _write_report(path: Path, report: dict[str, Any]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(report, indent=2) + '\n')
    except OSError as error:
        raise IbcError(f'report {path}: cannot be written: {error.strerror}') from None


def main(args: list[str] | None = None) -> None:
    """Replay one bag and exit."""
    sys.exit(run(ReplayNode, args, (ReplayConfig,)))


if __name__ == '__main__':
    main()
