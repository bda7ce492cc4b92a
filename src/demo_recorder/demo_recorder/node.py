"""Node `demo_recorder`: episodes of the whole ROS graph as MCAP bags."""

import dataclasses
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from std_msgs.msg import Int64, String
from std_srvs.srv import Trigger

from demo_recorder.config import EpisodeFacts, RecorderConfig
from demo_recorder.intake_node import RawIntake
from demo_recorder.session import RecordingSession, SessionLimits, prepare_folder
from demo_recorder.stream_health import StreamHealth
from ibc_contract import topics
from ibc_contract.contract import load_contract
from ibc_contract.episode_info import EpisodeInfo, new_episode_info
from ibc_contract.errors import IbcError
from ibc_contract.ros import Diagnostics, declare_config, latched, read_config, status_name
from ibc_contract.runner import run

CAMERA = 'realsense_capture'
CAMERA_FACTS = ('source', 'mode', 'light', 'exposure [us]', 'gain', 'white balance [K]')
"""What of its diagnostics belongs to a picture; the rest is how it fares."""


class DemoRecorderNode(Node):
    """Receives every episode topic as raw bytes and keeps them while an episode is open."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__('demo_recorder', **kwargs)
        self.exit_code: int | None = None
        self._config = declare_config(self, RecorderConfig)
        declare_config(self, EpisodeFacts, read_only=False)
        self._contract = load_contract(self._config.contract)
        self._calibration = _read_calibration(self._config.calibration_file)
        root = Path(self._config.root)
        prepare_folder(root)
        self._session = RecordingSession(root, _limits(self._config), self._make_info)
        self._live: dict[str, StreamHealth] = {}
        self._lock = threading.RLock()
        self._intake = RawIntake(self, self._receive, self._lock)
        self._layout_seed: int | None = None
        self._camera: dict[str, str] = {}
        self._camera_status = status_name(self, 'camera', CAMERA)
        self.create_subscription(Int64, topics.TWIN_SEED, self._on_layout_seed, latched())
        self.create_subscription(DiagnosticArray, topics.DIAGNOSTICS, self._on_diagnostics, 10)
        self._create_services()
        self._state = self.create_publisher(String, topics.RECORDER_STATE, latched())
        self._diagnostics = Diagnostics(self, 'episodes')
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(0.5, self._publish_state, clock=steady)
        self.create_timer(1.0, self._diagnose, clock=steady)
        self._publish_state()

    def close(self) -> None:
        """Save the open episode."""
        self._intake.close()
        try:
            line = self._session.close()
        except IbcError as error:
            self.get_logger().error(str(error))
        else:
            if line:
                self.get_logger().info(line)

    def _make_info(self, started_ns: int) -> EpisodeInfo:
        facts = read_config(self, EpisodeFacts)
        return dataclasses.replace(
            new_episode_info(facts.task, self._contract, 'ros', started_ns),
            operator=facts.operator,
            note=facts.note,
            seed=self._layout_seed if facts.seed < 0 else facts.seed,
            calibration=self._calibration,
            camera=self._camera,
        )

    def _on_layout_seed(self, message: Int64) -> None:
        self._layout_seed = message.data

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name == self._camera_status:
                told = {pair.key: pair.value for pair in status.values}
                self._camera = {key: told[key] for key in CAMERA_FACTS if key in told}

    def _receive(
        self, topic: str, received_ns: int, data: bytes, sent_ns: int | None, sequence: int | None
    ) -> None:
        """Take one message. In the intake's thread, with the lock."""
        self._live.setdefault(topic, StreamHealth()).add(received_ns, len(data), sequence)
        self._session.receive(topic, received_ns, data, sent_ns, sequence)

    def _create_services(self) -> None:
        for name, act in (
            (topics.RECORDER_START, self._session.start),
            (topics.RECORDER_STOP, self._session.stop),
            (topics.RECORDER_DISCARD, self._session.discard),
            (topics.RECORDER_MARK_SUCCESS, lambda: self._session.mark('success')),
            (topics.RECORDER_MARK_FAILURE, lambda: self._session.mark('failure')),
        ):
            self.create_service(Trigger, name, self._responder(act))

    def _responder(
        self, act: Callable[[], str]
    ) -> Callable[[Trigger.Request, Trigger.Response], Trigger.Response]:
        def respond(_: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
            try:
                with self._lock:
                    self._intake.fetch()  # what came before this request belongs before it
                    response.message = act()
            except IbcError as error:
                response.success, response.message = False, str(error)
                self.get_logger().error(response.message)
            else:
                response.success = True
                self.get_logger().info(response.message)
            self._publish_state()
            return response

        return respond

    def _publish_state(self) -> None:
        with self._lock:
            line = self._session.poll()
            state = self._session.describe(read_config(self, EpisodeFacts).task)
        if line:
            self.get_logger().error(line)
        self._state.publish(String(data=state))

    def _diagnose(self) -> None:
        self._intake.adapt()
        with self._lock:
            live, self._live = self._live, {}
            level, message = self._judge(live)
            values = self._values(live)
        self._diagnostics.publish(level, message, values)

    def _values(self, live: dict[str, StreamHealth]) -> dict[str, object]:
        now_ns = time.time_ns()
        values: dict[str, object] = {
            'state': self._session.describe(),
            'free_gb': f'{self._session.free_bytes() / 1e9:.1f}',
            'dropped': self._session.dropped,
        }
        for topic in topics.EPISODE_TOPICS:
            health = live.get(topic)
            values[topic] = (
                f'{health.describe()}, newest {health.age_s(now_ns) * 1e3:.0f} ms old'
                if health
                else 'silent'
            )
        for topic, health in self._session.health.items():
            values[f'episode {topic}'] = health.describe()
        return values

    def _judge(self, live: dict[str, StreamHealth]) -> tuple[bytes, str]:
        """Return level and message for what was received since the last time."""
        if self._session.problem:
            return DiagnosticStatus.ERROR, self._session.problem
        silent = [topic for topic in self._config.expected_topics if topic not in live]
        problems = self._session.warnings() or [f'nothing on {topic}' for topic in silent]
        if self._session.free_bytes() < self._config.min_free_mb * 1e6:
            problems.insert(0, 'the disk is almost full')
        if problems:
            return DiagnosticStatus.WARN, '; '.join(problems)
        return DiagnosticStatus.OK, self._session.describe()


def _limits(config: RecorderConfig) -> SessionLimits:
    unknown = sorted(set(config.expected_topics) - topics.EPISODE_TOPICS.keys())
    if unknown:
        raise IbcError(
            f'expected_topics: {", ".join(unknown)} is not recorded; known: '
            f'{", ".join(topics.EPISODE_TOPICS)}'
        )
    return SessionLimits(
        expected=config.expected_topics,
        silent_s=config.silent_s,
        min_free_bytes=round(config.min_free_mb * 1e6),
        queue_bytes=round(config.queue_mb * 1e6),
    )


def _read_calibration(file: str) -> str:
    try:
        return Path(file).read_text() if file else ''
    except (OSError, UnicodeDecodeError) as error:
        raise IbcError(f'calibration_file {file}: cannot be read: {error}') from None


def main(args: list[str] | None = None) -> None:
    """Run the recorder until a signal; an open episode is saved."""
    sys.exit(run(DemoRecorderNode, args, (RecorderConfig, EpisodeFacts)))


if __name__ == '__main__':
    main()
