"""Node `trials`: let the policy try the task several times on the twin, film it, keep the scores.

Each trial: policy off, arm home, new layout (before the first one, the policy may not have acted:
then the one that lies there), policy on until success or the task's horizon. The
trial that is under way when the time is over, at an interrupt, or when the arm has stopped, as by a
person's key, is noted as stopped.
"""

import dataclasses
import math
import sys
import threading
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import PoseArray
from rclpy.clock import Clock, ClockType
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Float64, Int64
from std_srvs.srv import SetBool, Trigger

from ibc_bringup.overview import Overview
from ibc_bringup.trials import Trial, write_trials
from ibc_bringup.trials_config import TrialsConfig
from ibc_bringup.video import Mp4Writer, with_caption
from ibc_contract import topics
from ibc_contract.errors import IbcError
from ibc_contract.images import decode_jpeg
from ibc_contract.messages import poses_array
from ibc_contract.pacing import ticks
from ibc_contract.ros import (
    ACQUAINTANCE_S,
    Diagnostics,
    declare_config,
    latched,
    newest,
    status_name,
)
from ibc_contract.runner import run
from xarm_twin.tasks import Task, get_task
from xarm_twin.tasks.failures import BlockMoves, failure

DRIVER = 'xarm_planar_driver'
GATE = 'gate_'
"""What begins the names of the safety gate's counts in the driver's diagnostics."""
TWIN_HOST = '127.0.0.1'
FILM_HZ = 10
SERVICE_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 2.0
POLL_S = 0.02
LINGER_S = 1.0
SHORTEST_S = 10.0
"""What is left for another trial is worth it if it is so long [s]."""
SETTLE_S = 0.5
"""After a reset: objects come to rest and the camera sees them [s]."""


class TrialsNode(Node):
    """Sequences trials in a thread; callbacks only keep the newest frame and score."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__('trials', **kwargs)
        self.exit_code: int | None = None
        self._config = declare_config(self, TrialsConfig)
        self._task = get_task(self._config.task)
        self._horizon_s = _horizon_s(self._task)
        self._objects: np.ndarray | None = None
        self._gate: Counter[str] = Counter()
        self._jpeg: bytes | None = None
        self._frame_s = -math.inf
        self._score = 0.0
        self._seed: int | None = None
        self._arm_trouble = ''
        self._acting = False
        self._driver = status_name(self, 'arm', DRIVER)
        self._trials: list[Trial] = []
        self._film = Mp4Writer(Path(self._config.video), FILM_HZ) if self._config.video else None
        self._overview: Overview | None = None
        self.create_subscription(
            CompressedImage, topics.CAMERA_COMPRESSED, self._keep_frame, newest()
        )
        self.create_subscription(Float64, topics.TWIN_SCORE, self._keep_score, newest())
        self.create_subscription(PoseArray, topics.TWIN_OBJECTS, self._keep_objects, newest())
        self.create_subscription(Int64, topics.TWIN_SEED, self._keep_seed, latched())
        self.create_subscription(DiagnosticArray, topics.DIAGNOSTICS, self._keep_arm, 10)
        self._enable = self.create_client(SetBool, topics.POLICY_ENABLE)
        self._home = self.create_client(Trigger, topics.ARM_HOME)
        self._reset = self.create_client(Trigger, topics.TWIN_RESET)
        self._recorder = {
            name: self.create_client(Trigger, name)
            for name in (
                topics.RECORDER_START,
                topics.RECORDER_STOP,
                topics.RECORDER_MARK_SUCCESS,
                topics.RECORDER_MARK_FAILURE,
            )
            if self._config.record
        }
        self._diagnostics = Diagnostics(self, 'trials')
        self.create_timer(1.0, self._diagnose, clock=Clock(clock_type=ClockType.STEADY_TIME))
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name='trials', daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop, and end the film."""
        self._stop.set()
        self._thread.join(timeout=3.0)  # the trial under way is noted there
        if self._acting:
            self._stop_policy()
        if self._film is not None:
            self._film.close()
        if self._overview is not None:
            self._overview.close()

    def _stop_policy(self) -> None:
        """Switch the policy off, and wait until it is: a request of a node that is gone is lost."""
        executor = SingleThreadedExecutor(context=self.context)
        executor.add_node(self)
        answer = self._enable.call_async(SetBool.Request(data=False))
        executor.spin_until_future_complete(answer, timeout_sec=STOP_TIMEOUT_S)
        executor.shutdown(timeout_sec=0.0)

    def _diagnose(self) -> None:
        trials = list(self._trials)
        values = {
            'trials': len(trials),
            'successes': sum(trial.success for trial in trials),
            'score now': f'{self._score:.2f}',
            'frame age [ms]': f'{(time.monotonic() - self._frame_s) * 1e3:.0f}',
        }
        level = DiagnosticStatus.WARN if self._arm_trouble else DiagnosticStatus.OK
        message = self._arm_trouble or f'{len(trials)} of {self._config.episodes} trials'
        self._diagnostics.publish(level, message, values)

    def _work(self) -> None:
        try:
            self._run_trials()
            self.exit_code = 0
        except IbcError as error:
            if not self._stop.is_set():
                self.get_logger().error(str(error))
            self.exit_code = 1
        except Exception:
            if not self._stop.is_set():
                self.get_logger().error(traceback.format_exc())
            self.exit_code = 2

    def _run_trials(self) -> None:
        self._write_results()
        if self._film is not None and self._config.scene_port:
            self._overview = Overview(self._config.task, TWIN_HOST, self._config.scene_port)
        self._wait_for_services()
        end = math.inf
        while len(self._trials) < self._config.episodes:
            self._prepare()
            if not self._trials and self._config.seconds:  # not while others are still starting
                end = time.monotonic() + self._config.seconds
            if self._stop.is_set() or (self._trials and time.monotonic() + SHORTEST_S > end):
                return
            number = len(self._trials) + 1
            self.get_logger().info(f'trial {number} begins, at most {self._horizon_s:.0f} s')
            before = Counter(self._gate)
            trial = self._try_once(end)
            gate = dict(self._gate - before)
            trial = dataclasses.replace(trial, seed=self._seed, interventions=gate)
            self._trials.append(trial)
            self._write_results()
            self.get_logger().info(
                f'trial {number}: {trial.outcome}, score {trial.score:.2f}, {trial.seconds:.1f} s'
            )
            if self._arm_trouble:
                raise IbcError(f'the arm has {self._arm_trouble}')
            if self._stop.is_set():
                return

    def _prepare(self) -> None:
        self._call(self._enable, SetBool.Request(data=False))
        self._acting = False
        self._call(self._home, Trigger.Request())
        if self._trials or self._config.enabled:
            self._call(self._reset, Trigger.Request())
        self._stop.wait(SETTLE_S)
        self._score = 0.0

    def _try_once(self, end: float) -> Trial:
        """Let the policy act until success, the horizon, `end` [s] or an interrupt."""
        self._record(topics.RECORDER_START)
        self._acting = True
        self._call(self._enable, SetBool.Request(data=True))
        begin = time.monotonic()
        moves = BlockMoves(self._task)
        now, score = 0.0, 0.0
        for _ in ticks(1.0 / FILM_HZ, self._stop):
            now, score = time.monotonic() - begin, self._score
            self._film_frame(now, score)
            objects = self._objects
            if objects is not None:
                moves.add(now, objects)
            if score >= 1.0:
                self._call(self._enable, SetBool.Request(data=False))
                self._record(topics.RECORDER_MARK_SUCCESS, topics.RECORDER_STOP)
                self._linger(now, score)
                return Trial(score, success=True, seconds=round(now, 2))
            if now > self._horizon_s:
                self._record(topics.RECORDER_MARK_FAILURE, topics.RECORDER_STOP)
                trial = Trial(score, success=False, seconds=round(now, 2))
                if objects is None:
                    return trial
                why = failure(self._task, objects)
                return dataclasses.replace(trial, failure=why, ending=moves.ending)
            if begin + now >= end or self._arm_trouble:
                break
        return Trial(score, success=False, seconds=round(now, 2), stopped=True)

    def _record(self, *services: str) -> None:
        """Ask the recorder for these in turn, if trials are recorded.

        The one that is stopped needs nothing: the recorder saves it, unlabelled, when it ends.
        """
        if self._config.record:
            for service in services:
                self._call(self._recorder[service], Trigger.Request())

    def _write_results(self) -> None:
        if self._config.results:
            write_trials(Path(self._config.results), self._trials)

    def _linger(self, seconds: float, score: float) -> None:
        """Film the success a little longer, the clock standing still."""
        begin = time.monotonic()
        for _ in ticks(1.0 / FILM_HZ, self._stop):
            self._film_frame(seconds, score)
            if time.monotonic() - begin > LINGER_S:
                return

    def _film_frame(self, seconds: float, score: float) -> None:
        if self._film is None or self._jpeg is None:
            return
        words = (
            self._config.task,
            f'trial {len(self._trials) + 1}',
            f'{seconds:4.1f} s',
            f'score {score:.2f}',
        )
        frame: np.ndarray = decode_jpeg(self._jpeg)
        if self._overview is not None:
            frame = self._overview.beside(frame)
        self._film.add(with_caption(frame, words, done=score >= 1.0))

    def _keep_frame(self, message: CompressedImage) -> None:
        self._jpeg = bytes(message.data)
        self._frame_s = time.monotonic()

    def _keep_score(self, message: Float64) -> None:
        self._score = message.data

    def _keep_seed(self, message: Int64) -> None:
        self._seed = message.data

    def _keep_objects(self, message: PoseArray) -> None:
        self._objects = poses_array(message)

    def _keep_arm(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name == self._driver:
                failed = status.level == DiagnosticStatus.ERROR
                self._arm_trouble = status.message if failed else ''
                self._gate = Counter(
                    {
                        value.key.removeprefix(GATE): int(value.value)
                        for value in status.values
                        if value.key.startswith(GATE)
                    }
                )

    def _wait_for_services(self) -> None:
        """Wait until every service is there; IbcError names one that is not."""
        clients = (self._enable, self._home, self._reset, *self._recorder.values())
        deadline = time.monotonic() + SERVICE_TIMEOUT_S
        for client in clients:
            while not client.service_is_ready() and not self._stop.wait(POLL_S):
                if time.monotonic() > deadline:
                    raise IbcError(f'{client.srv_name} does not exist: is its node running?')
        self._stop.wait(ACQUAINTANCE_S)

    def _call(self, client: Any, request: Any) -> None:
        """Call a service from the trial thread; IbcError unless it answers and succeeds."""
        future = client.call_async(request)
        deadline = time.monotonic() + SERVICE_TIMEOUT_S
        while not future.done() and not self._stop.wait(POLL_S):
            if time.monotonic() > deadline:
                raise IbcError(f'{client.srv_name} did not answer in {SERVICE_TIMEOUT_S:.0f} s')
        if future.done() and not future.result().success:
            raise IbcError(f'{client.srv_name} refused: {future.result().message}')


def _horizon_s(task: Task) -> float:
    return task.horizon_s


def main(args: list[str] | None = None) -> None:
    """Run the node."""
    sys.exit(run(TrialsNode, args, (TrialsConfig,)))


if __name__ == '__main__':
    main()
