"""Node `demonstrator`: a scripted hand at the mouse's topic, for as many episodes as wanted."""

import sys
import threading
import time
import traceback
from typing import Annotated, Any

import numpy as np
import pydantic
from diagnostic_msgs.msg import DiagnosticStatus
from geometry_msgs.msg import PoseArray, PoseStamped, Vector3Stamped
from pydantic import Field
from rclpy.client import Client
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Float64, String
from std_srvs.srv import Trigger

from ibc_contract import topics
from ibc_contract.errors import IbcError
from ibc_contract.messages import pose_xy, poses_array
from ibc_contract.ros import ACQUAINTANCE_S, Diagnostics, declare_config, latched, newest
from ibc_contract.runner import run
from xarm_twin.showing import Look, Outcome, Showing, StageError
from xarm_twin.tasks import get_task

MOTION_TIMEOUT = 60.0
"""How long homing may take [s]."""
ANSWER_TIMEOUT = 15.0
"""How long any other service may take [s]."""
JOIN_TIMEOUT = 2.0
_POLL = 0.1


@pydantic.dataclasses.dataclass(frozen=True)
class DemonstratorConfig:
    """Parameters of the node."""

    task: Annotated[str, Field(description='task to show, the same as the twin has')] = 'push_red'
    episodes: Annotated[int, Field(ge=1, le=100000, description='how many to show')] = 1
    record: Annotated[bool, Field(description='whether to record them with demo_recorder')] = True
    noise: Annotated[
        float, Field(ge=0, le=1, description='error of a move as a share of its length [1]')
    ] = 0.0
    multimodal: Annotated[
        bool, Field(description='pass obstacles on either side, not on the nearest')
    ] = False
    seed: Annotated[int, Field(ge=0, le=2**31, description='seed of hand and errors')] = 0
    startup_timeout: Annotated[
        float, Field(ge=1, le=3600, description='how long the other nodes may take to start [s]')
    ] = 60.0


class Episode:
    """What the recorder has said about the episode since the demonstrator asked for it."""

    def __init__(self) -> None:
        self.open = False
        """Whether the demonstrator believes that it is being recorded."""
        self.trouble = ''
        """Why the recorder ended it by itself; empty while it has not."""
        self._begun = False

    def hear(self, state: str) -> None:
        """Take what is on recorder/state: `recording ...`, `idle ...`, `... - what is wrong`."""
        if state.startswith('recording'):
            self._begun = True
        elif self._begun:  # not what is left from an earlier episode
            self.trouble = state.partition(' - ')[2]


class DemonstratorNode(Node):
    """Shows `episodes` episodes, then ends the process: 0 when every service did its part."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__('demonstrator', **kwargs)
        self.exit_code: int | None = None
        self._config = declare_config(self, DemonstratorConfig)
        self._task = get_task(self._config.task)
        self._lock = threading.Lock()
        self._setpoint: tuple[float, PoseStamped] | None = None
        self._objects: tuple[float, PoseArray] | None = None
        self._score: tuple[float, Float64] | None = None
        self._camera_is_on = not self._config.record
        self._episode = Episode()
        self._create_subscriptions()
        self._commands = self.create_publisher(Vector3Stamped, topics.TELEOP_DELTA, newest(10))
        self._triggers = {name: self.create_client(Trigger, name) for name in self._needed()}
        self._outcomes: list[Outcome] = []
        self._moves = 0
        self._diagnostics = Diagnostics(self, 'showing')
        self.create_timer(1.0, self._diagnose, clock=Clock(clock_type=ClockType.STEADY_TIME))
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name='showing', daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop between two actions. The open episode stays with the recorder."""
        self._stop.set()
        self._thread.join(JOIN_TIMEOUT)

    def home(self) -> None:
        """Bring the tool home."""
        self._call(topics.ARM_HOME, MOTION_TIMEOUT)

    def reset(self) -> None:
        """Lay the task out anew."""
        self._call(topics.TWIN_RESET)

    def start_recording(self) -> None:
        """Open an episode, if recording."""
        if self._config.record:
            self._episode = Episode()
            self._call(topics.RECORDER_START)
            self._episode.open = True

    def finish_recording(self, success: bool) -> None:
        """Mark the open episode and save it, if recording."""
        if self._config.record:
            self._episode.open = False
            self._call(topics.RECORDER_MARK_SUCCESS if success else topics.RECORDER_MARK_FAILURE)
            self._call(topics.RECORDER_STOP)

    def discard_recording(self) -> str:
        """Throw the episode away, if recording; return what the recorder says about it."""
        if not self._config.record:
            return ''
        self._episode.open = False
        return self._call(topics.RECORDER_DISCARD)

    def look(self) -> Look:
        """Return the newest messages as arrays."""
        if self._episode.open and self._episode.trouble:
            raise StageError(f'the recorder ended the episode: {self._episode.trouble}')
        with self._lock:
            setpoint, objects, score = self._setpoint, self._objects, self._score
        if setpoint is None or objects is None or score is None:
            raise StageError('no setpoint, objects or score yet')
        oldest = min(setpoint[0], objects[0], score[0])
        return Look(
            setpoint_xy=pose_xy(setpoint[1]),
            objects=poses_array(objects[1]),
            score=score[1].data,
            age=time.monotonic() - oldest,
        )

    def move(self, delta: np.ndarray) -> None:
        """Command a move of the setpoint (2,) [m]."""
        command = Vector3Stamped()
        command.header.stamp = self.get_clock().now().to_msg()
        command.header.frame_id = topics.LINK_BASE
        command.vector.x, command.vector.y = map(float, delta)
        self._commands.publish(command)
        self._moves += 1

    def _create_subscriptions(self) -> None:
        self.create_subscription(PoseStamped, topics.TCP_SETPOINT, self._on_setpoint, newest())
        self.create_subscription(PoseArray, topics.TWIN_OBJECTS, self._on_objects, newest())
        self.create_subscription(Float64, topics.TWIN_SCORE, self._on_score, newest())
        if self._config.record:
            # An episode that begins before the camera does has no first observation.
            self.create_subscription(CameraInfo, topics.CAMERA_INFO, self._on_camera, newest())
            self.create_subscription(String, topics.RECORDER_STATE, self._on_recorder, latched())

    def _needed(self) -> list[str]:
        needed = [topics.ARM_HOME, topics.TWIN_RESET]
        if self._config.record:
            needed += [
                topics.RECORDER_START,
                topics.RECORDER_MARK_SUCCESS,
                topics.RECORDER_MARK_FAILURE,
                topics.RECORDER_STOP,
                topics.RECORDER_DISCARD,
            ]
        return needed

    def _on_setpoint(self, message: PoseStamped) -> None:
        with self._lock:
            self._setpoint = time.monotonic(), message

    def _on_objects(self, message: PoseArray) -> None:
        with self._lock:
            self._objects = time.monotonic(), message

    def _on_score(self, message: Float64) -> None:
        with self._lock:
            self._score = time.monotonic(), message

    def _on_camera(self, _: CameraInfo) -> None:
        self._camera_is_on = True

    def _on_recorder(self, message: String) -> None:
        self._episode.hear(message.data)

    def _run(self) -> None:
        try:
            self._wait_for_others()
            self._show()
            self.exit_code = 0
        except IbcError as error:
            if not self._stop.is_set():
                self.get_logger().error(str(error))
            self.exit_code = 1
        except Exception:
            self.get_logger().error(traceback.format_exc())
            self.exit_code = 2

    def _show(self) -> None:
        config = self._config
        showing = Showing(self, self._task, config.noise, config.multimodal, self._stop)
        for episode in range(config.episodes):
            outcome = showing.run_episode(np.random.default_rng((config.seed, episode)))
            if self._stop.is_set():  # in the middle of it, for all we know
                return
            self._outcomes.append(outcome)
            self._log_progress()

    def _log_progress(self) -> None:
        last, successes = self._outcomes[-1], sum(outcome.success for outcome in self._outcomes)
        self.get_logger().info(
            f'episode {len(self._outcomes)}/{self._config.episodes}: '
            f'{"success" if last.success else "failure"} after {last.duration:.1f} s, '
            f'score {last.score:.2f}; {successes} successes so far'
        )

    def _diagnose(self) -> None:
        outcomes, now = list(self._outcomes), time.monotonic()
        with self._lock:
            inputs = {
                topics.TCP_SETPOINT: self._setpoint,
                topics.TWIN_OBJECTS: self._objects,
                topics.TWIN_SCORE: self._score,
            }
        ages = {
            f'{topic} age [ms]': f'{(now - heard[0]) * 1e3:.0f}' if heard else 'silent'
            for topic, heard in inputs.items()
        }
        values = {
            'episodes shown': len(outcomes),
            'successes': sum(outcome.success for outcome in outcomes),
            'moves sent': self._moves,
            **ages,
        }
        message = f'{len(outcomes)} of {self._config.episodes} episodes shown'
        self._diagnostics.publish(DiagnosticStatus.OK, message, values)

    def _wait_for_others(self) -> None:
        deadline = time.monotonic() + self._config.startup_timeout
        while missing := self._missing():
            if time.monotonic() > deadline:
                raise StageError(f'waited {self._config.startup_timeout:.0f} s for {missing}')
            self.get_logger().info(f'waiting for {missing}', throttle_duration_sec=5.0)
            if self._stop.wait(_POLL):
                raise StageError('stopped before the other nodes were there')
        self._stop.wait(ACQUAINTANCE_S)

    def _missing(self) -> str:
        """Names of what has to be there before the first episode; empty when all is."""
        absent = [name for name, client in self._triggers.items() if not client.service_is_ready()]
        with self._lock:
            heard = {
                topics.TCP_SETPOINT: self._setpoint is not None,
                topics.TWIN_OBJECTS: self._objects is not None,
                topics.TWIN_SCORE: self._score is not None,
                topics.CAMERA_INFO: self._camera_is_on,
            }
        return ', '.join([*absent, *(name for name, was_heard in heard.items() if not was_heard)])

    def _call(self, name: str, timeout: float = ANSWER_TIMEOUT) -> str:
        """Call a Trigger service while the executor spins elsewhere; return what it answers."""
        client: Client = self._triggers[name]
        done = threading.Event()
        future = client.call_async(Trigger.Request())
        future.add_done_callback(lambda _: done.set())
        deadline = time.monotonic() + timeout
        while not done.wait(_POLL):
            if self._stop.is_set():
                raise StageError(f'stopped while waiting for {name}')
            if time.monotonic() > deadline:
                client.remove_pending_request(future)
                raise StageError(f'{name} did not answer within {timeout:.0f} s')
        response = future.result()
        if response is None or not response.success:
            reason = response.message if response is not None else 'no answer'
            raise StageError(f'{name} failed: {reason}')
        return response.message


def main(args: list[str] | None = None) -> None:
    """Show the episodes and exit."""
    sys.exit(run(DemonstratorNode, args, (DemonstratorConfig,)))


if __name__ == '__main__':
    main()
