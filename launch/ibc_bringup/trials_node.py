"""Node `trials`: let the policy try the task several times on the twin, film it, keep the scores.

Each trial: policy off, arm home, new layout, policy on until success or the task's horizon.
"""

import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pydantic
from pydantic import Field
from rclpy.node import Node
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Float64
from std_srvs.srv import SetBool, Trigger

from ibc_bringup.trials import Trial, write_trials
from ibc_bringup.video import Mp4Writer, with_caption
from ibc_contract import topics
from ibc_contract.errors import IbcError
from ibc_contract.images import decode_jpeg
from ibc_contract.pacing import ticks
from ibc_contract.ros import declare_config, newest
from ibc_contract.runner import run

FILM_HZ = 10
SERVICE_TIMEOUT_S = 60.0
LINGER_S = 1.0
SETTLE_S = 0.5
"""After a reset: objects come to rest and the camera sees them [s]."""


@pydantic.dataclasses.dataclass(frozen=True)
class TrialsConfig:
    """What is tried, how often, and what is written."""

    task: Annotated[str, Field(description='task of the twin')] = 'push_red'
    episodes: Annotated[int, Field(ge=1, le=10_000, description='trials to make')] = 1
    seconds: Annotated[
        float,
        Field(ge=0, le=86_400, description='begin no trial that could end later; 0: no limit [s]'),
    ] = 0.0
    video: Annotated[str, Field(description='MP4 file to write; empty: none')] = ''
    results: Annotated[str, Field(description='JSON file to write; empty: none')] = ''


class TrialsNode(Node):
    """Sequences trials in a thread; callbacks only keep the newest frame and score."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__('trials', **kwargs)
        self.exit_code: int | None = None
        self._config = declare_config(self, TrialsConfig)
        self._horizon_s = _horizon_s(self._config.task)
        self._jpeg: bytes | None = None
        self._score = 0.0
        self._trials: list[Trial] = []
        self._film = Mp4Writer(Path(self._config.video), FILM_HZ) if self._config.video else None
        self.create_subscription(
            CompressedImage, topics.CAMERA_COMPRESSED, self._keep_frame, newest()
        )
        self.create_subscription(Float64, topics.TWIN_SCORE, self._keep_score, newest())
        self._enable = self.create_client(SetBool, topics.POLICY_ENABLE)
        self._home = self.create_client(Trigger, topics.ARM_HOME)
        self._reset = self.create_client(Trigger, topics.TWIN_RESET)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name='trials', daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop, and write what there is."""
        self._stop.set()
        self._thread.join(timeout=3.0)
        if self._film is not None:
            self._film.close()
        if self._config.results:
            write_trials(Path(self._config.results), self._trials)

    def _work(self) -> None:
        try:
            self._run_trials()
            self.exit_code = 0
        except IbcError as error:
            self.get_logger().error(str(error))
            self.exit_code = 1
        except Exception:
            if not self._stop.is_set():
                self.get_logger().error(traceback.format_exc())
            self.exit_code = 2

    def _run_trials(self) -> None:
        begin = time.monotonic()
        while len(self._trials) < self._config.episodes and not self._stop.is_set():
            spent = time.monotonic() - begin
            if self._trials and 0 < self._config.seconds < spent + self._horizon_s:
                break
            self._prepare()
            trial = self._try_once()
            if self._stop.is_set():
                return
            self._trials.append(trial)
            outcome = 'success' if trial.success else 'failure'
            self.get_logger().info(
                f'trial {len(self._trials)} of {self._config.episodes}: {outcome}, '
                f'score {trial.score:.2f}, {trial.seconds:.1f} s'
            )

    def _prepare(self) -> None:
        self._call(self._enable, SetBool.Request(data=False))
        self._call(self._home, Trigger.Request())
        self._call(self._reset, Trigger.Request())
        self._stop.wait(SETTLE_S)
        self._score = 0.0
        self._call(self._enable, SetBool.Request(data=True))

    def _try_once(self) -> Trial:
        begin = time.monotonic()
        best, success_at = 0.0, None
        for _ in ticks(1.0 / FILM_HZ, self._stop):
            now = time.monotonic() - begin
            best = max(best, self._score)
            if success_at is None and best >= 1.0:
                success_at = now
                self._call(self._enable, SetBool.Request(data=False))
            self._film_frame(now if success_at is None else success_at, best)
            if now > (self._horizon_s if success_at is None else success_at + LINGER_S):
                break
        seconds = success_at if success_at is not None else time.monotonic() - begin
        return Trial(score=best, success=success_at is not None, seconds=round(seconds, 2))

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
        self._film.add(with_caption(frame, words, done=score >= 1.0))

    def _keep_frame(self, message: CompressedImage) -> None:
        self._jpeg = bytes(message.data)

    def _keep_score(self, message: Float64) -> None:
        self._score = message.data

    def _call(self, client: Any, request: Any) -> None:
        """Call a service from the trial thread; IbcError unless it answers and succeeds."""
        if not client.wait_for_service(timeout_sec=SERVICE_TIMEOUT_S):
            raise IbcError(f'{client.srv_name} does not exist: is its node running?')
        future = client.call_async(request)
        deadline = time.monotonic() + SERVICE_TIMEOUT_S
        while not future.done() and not self._stop.is_set():
            if time.monotonic() > deadline:
                raise IbcError(f'{client.srv_name} did not answer in {SERVICE_TIMEOUT_S:.0f} s')
            time.sleep(0.02)
        if future.done() and not future.result().success:
            raise IbcError(f'{client.srv_name} refused: {future.result().message}')


def _horizon_s(task: str) -> float:
    from xarm_twin.tasks import get_task

    return get_task(task).horizon_s


def main(args: list[str] | None = None) -> None:
    """Run the node."""
    sys.exit(run(TrialsNode, args))


if __name__ == '__main__':
    main()
