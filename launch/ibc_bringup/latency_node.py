"""Node `latency`: moves the arm to and fro through the driver's own topics, and listens.

It commands as the mouse does, so every limit of the driver and its safety gate holds, a policy is
held off, and when it ends, by itself or by Ctrl-C, the arm rests where its last step went.
"""

import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from geometry_msgs.msg import PoseStamped, Vector3Stamped
from rclpy.node import Node
from rclpy.parameter_client import AsyncParameterClient
from rclpy.time import Time
from sensor_msgs.msg import CompressedImage
from tqdm import tqdm

from ibc_bringup.latency import Recording, Vector
from ibc_bringup.step_response import Signal, shrink
from ibc_contract import topics
from ibc_contract.errors import IbcError
from ibc_contract.messages import pose_xy, stamp_ns
from ibc_contract.ros import newest
from planar_arm.errors import PlanarArmError
from planar_arm.table import load_table
from planar_arm.workspace import Workspace
from xarm_planar_driver.arbitration import LONGEST_RAMP

PATIENCE_S = 20.0
"""How long to wait for arm and camera."""
QUIET_S = 1.0
"""Nobody may have commanded for so long before it begins."""
STALE_S = 0.5
"""Setpoints that stay away for so long end the test: the arm was stopped."""
LATE_FRAME_S = 2.0
"""Likewise pictures."""
DWELL_S = (1.0, 1.2)
"""Time from one step to the next, drawn at random: steps fall anywhere between two pictures."""
POLL_S = 0.01
DRIVER = 'xarm_planar_driver'
IDLE = 'is the stack up, and the arm enabled, at home and not stopped?'
SILENT_DRIVER = f'{DRIVER} does not say what its table is: {IDLE}'
INPUTS = {
    topics.TCP_SETPOINT: f'no setpoints arrive: {IDLE}',
    topics.TCP_POSE: f'the arm tells no pose: {IDLE}',
    topics.CAMERA_COMPRESSED: 'no pictures arrive: is the camera node up?',
}


@dataclass(frozen=True)
class StepPlan:
    """What is done."""

    steps: int
    """To and fro in turns, so an even number."""
    length: float
    """Of a step [m]."""
    seed: int = 0


class LatencyNode(Node):
    """Steps in a thread; callbacks only keep what they get, with when they got it."""

    def __init__(self, plan: StepPlan, **kwargs: Any) -> None:
        super().__init__('latency', **kwargs)
        self.exit_code: int | None = None
        self.failure: IbcError | None = None
        self.recording: Recording | None = None
        """What was recorded, once it is done."""
        self._plan = plan
        self._kept: dict[str, list[tuple[int, int, Any]]] = {topic: [] for topic in INPUTS}
        """Stamp [ns], arrival [ns] and content of each message."""
        self._sent: set[int] = set()
        self._stranger = ''
        self._commands = self.create_publisher(Vector3Stamped, topics.TELEOP_DELTA, newest(10))
        self._listen(topics.TCP_SETPOINT, PoseStamped, pose_xy, 100)
        self._listen(topics.TCP_POSE, PoseStamped, pose_xy, 100)
        self._listen(topics.CAMERA_COMPRESSED, CompressedImage, lambda m: bytes(m.data), 10)
        for topic in (topics.TELEOP_DELTA, topics.POLICY_DELTA):
            self._overhear(topic)
        self._driver = AsyncParameterClient(self, DRIVER)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name='steps', daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Command nothing more."""
        self._stop.set()
        self._thread.join(timeout=3.0)

    def _listen(self, topic: str, message_type: type, content: Any, depth: int) -> None:
        def keep(message: Any) -> None:
            arrival = self.get_clock().now().nanoseconds
            self._kept[topic].append((stamp_ns(message), arrival, content(message)))

        self.create_subscription(message_type, topic, keep, newest(depth))

    def _overhear(self, topic: str) -> None:
        """Notice whoever else commands the arm."""

        def notice(message: Vector3Stamped) -> None:
            if topic == topics.POLICY_DELTA or stamp_ns(message) not in self._sent:
                self._stranger = topic

        self.create_subscription(Vector3Stamped, topic, notice, newest(10))

    def _work(self) -> None:
        try:
            self.recording = self._test()
            self.exit_code = 0
        except IbcError as error:
            self.failure, self.exit_code = error, 1
        except InterruptedError:
            return  # who asked for it ends the node
        except Exception:
            if not self._stop.is_set():  # else the context went away
                self.get_logger().error(traceback.format_exc())
            self.exit_code = 2

    def _test(self) -> Recording:
        self._wait_for_inputs()
        self._pause(QUIET_S)
        for kept in self._kept.values():
            del kept[:-1]
        rng, begin = np.random.default_rng(self._plan.seed), self._now()
        step = self._direction() * self._plan.length
        self._pause(QUIET_S)
        times = []
        for number in tqdm(range(self._plan.steps), desc='steps', unit='step', disable=None):
            times.append(self._command(-step if number % 2 else step))
            self._pause(rng.uniform(*DWELL_S))
        times.append(self._now())
        self._pause(QUIET_S)  # the last pictures are still under way
        return self._recorded(np.array(times) - begin, begin, step)

    def _wait_for_inputs(self) -> None:
        end = time.monotonic() + PATIENCE_S
        for topic, trouble in INPUTS.items():
            while not self._kept[topic]:
                if time.monotonic() > end:
                    raise IbcError(trouble)
                self._sleep(POLL_S)

    def _direction(self) -> Vector:
        """To the side, where there is more room, (2,)."""
        here = self._kept[topics.TCP_SETPOINT][-1][2]
        sides = [np.array([0.0, 1.0]), np.array([0.0, -1.0])]
        workspace = self._workspace()
        side = max(sides, key=lambda s: workspace.depth(here + self._plan.length * s))
        if not workspace.contains(here + self._plan.length * side):
            raise IbcError('there is no room for a step to either side: lead the arm elsewhere')
        return side

    def _workspace(self) -> Workspace:
        """Ask the driver where the tool may be: in the twin it is not where the site says."""
        self._wait(self._driver.services_are_ready)
        asked = self._driver.get_parameters(['table_file'])
        self._wait(asked.done)
        answer = asked.result()
        if answer is None or not answer.values:
            raise IbcError(SILENT_DRIVER)
        try:
            return load_table(answer.values[0].string_value).workspace
        except PlanarArmError as error:
            raise IbcError(f'{error}; run this where the stack was started') from None

    def _wait(self, until: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE_S
        while not until():
            if time.monotonic() > end:
                raise IbcError(SILENT_DRIVER)
            self._sleep(POLL_S)

    def _command(self, delta: Vector) -> int:
        """Send one move (2,) [m]; return its stamp [ns]."""
        message = Vector3Stamped()
        now = self._now()
        message.header.stamp = Time(nanoseconds=now).to_msg()
        message.header.frame_id = topics.LINK_BASE
        message.vector.x, message.vector.y = map(float, delta)
        self._sent.add(now)
        self._commands.publish(message)
        return now

    def _pause(self, seconds: float) -> None:
        """Wait; IbcError as soon as somebody else commands, or what is measured stays away."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._sleep(min(POLL_S, left))
            if self._stranger:
                raise IbcError(
                    f'somebody else commands the arm on {self._stranger}: let go of the mouse, end '
                    'the demonstrator, switch the policy off (policy/enable)'
                )
            for topic, trouble in INPUTS.items():
                silence = (self._now() - self._kept[topic][-1][1]) * 1e-9
                if silence > (LATE_FRAME_S if topic == topics.CAMERA_COMPRESSED else STALE_S):
                    raise IbcError(trouble)

    def _sleep(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise InterruptedError

    def _now(self) -> int:
        return self.get_clock().now().nanoseconds

    def _recorded(self, commands_ns: Vector, begin: int, step: Vector) -> Recording:
        everything = {topic: list(kept) for topic, kept in self._kept.items()}  # more still comes

        def way(topic: str) -> Signal:
            kept = sorted(everything[topic], key=lambda each: each[0])
            points = np.array([content for _, _, content in kept])
            along = (points - points[0]) @ step / np.linalg.norm(step)
            return Signal(np.array([stamp - begin for stamp, _, _ in kept]) * 1e-9, along)

        frames = everything[topics.CAMERA_COMPRESSED]
        return Recording(
            commands_ns * 1e-9,
            LONGEST_RAMP,
            way(topics.TCP_SETPOINT),
            way(topics.TCP_POSE),
            np.array([shrink(jpeg) for _, _, jpeg in frames]),
            np.array([stamp - begin for stamp, _, _ in frames]) * 1e-9,
            np.array([arrival - begin for _, arrival, _ in frames]) * 1e-9,
        )
