"""A simulated cell as a bag: the topics, types and frames that the recorder gets through ROS."""

from collections import deque

import numpy as np
import numpy.typing as npt

from ibc_contract import messages, topics
from ibc_contract.episode_writer import EpisodeWriter
from ibc_contract.images import encode_jpeg
from planar_arm import xarm6
from planar_arm.workspace import DEFAULT_WORKSPACE
from xarm_twin.camera import TwinCamera
from xarm_twin.cell import TICKS_PER_SECOND, CellState, SimulatedCell

_TRUTH_EVERY = 5
"""Ticks between ground-truth messages: 20 Hz."""


class CellRecorder:
    """Writes what happens in a cell, from now on, to an episode; stamps begin at its start."""

    def __init__(
        self,
        cell: SimulatedCell,
        writer: EpisodeWriter,
        camera: TwinCamera | None,
        camera_hz: int,
        frame_latency_s: float,
    ) -> None:
        """Record `cell` from its next state on; frames only if there is a camera.

        Args:
            cell: What is recorded.
            writer: Where to; closing it is the caller's.
            camera: Draws the frames.
            camera_hz: Frames per second, a divisor of 100.
            frame_latency_s: From a frame's stamp to its arrival [s].
        """
        self._cell = cell
        self._writer = writer
        self._camera = camera
        self._frame_every = TICKS_PER_SECOND // camera_hz if camera_hz else 0
        self._latency_ns = round(frame_latency_s * 1e9)
        self._start_ns = writer.info.started_ns - cell.state.stamp_ns
        self._ticks = 0
        self._under_way: deque[tuple[int, bytes]] = deque()

    def command(self, delta: npt.ArrayLike) -> None:
        """Record a move of the setpoint (2,) [m] that is commanded now."""
        stamp = self._start_ns + self._cell.state.stamp_ns
        self._writer.write(topics.TELEOP_DELTA, stamp, messages.vector3_stamped_cdr(stamp, delta))

    def state(self, state: CellState) -> None:
        """Record one tick; call it with every state, from the first on."""
        stamp = self._start_ns + state.stamp_ns
        self._arm(stamp, state)
        if self._ticks % _TRUTH_EVERY == 0:
            score = self._cell.world.task.score(state.objects)
            self._writer.write(
                topics.TWIN_OBJECTS, stamp, messages.pose_array_cdr(stamp, state.objects)
            )
            self._writer.write(topics.TWIN_SCORE, stamp, messages.float64_cdr(score))
        if self._camera is not None and self._ticks % self._frame_every == 0:
            picture = self._camera.render(state.q, state.objects)
            self._under_way.append((stamp, encode_jpeg(picture)))
        while self._under_way and self._under_way[0][0] + self._latency_ns <= stamp:
            self._frame(stamp, *self._under_way.popleft())
        self._ticks += 1

    def _arm(self, stamp: int, state: CellState) -> None:
        write = self._writer.write
        pose = self._cell.kinematics.forward(state.q)
        goal = np.array([*state.setpoint_xy, DEFAULT_WORKSPACE.tool_height])
        write(
            topics.JOINT_STATES,
            stamp,
            messages.joint_state_cdr(stamp, xarm6.JOINT_NAMES, state.q, state.velocities),
        )
        write(
            topics.TCP_POSE,
            stamp,
            messages.pose_stamped_cdr(stamp, pose.position, pose.quaternion),
        )
        write(
            topics.TCP_SETPOINT,
            stamp,
            messages.pose_stamped_cdr(stamp, goal, xarm6.TOOL_DOWN_XYZW),
        )

    def _frame(self, now: int, stamp: int, jpeg: bytes) -> None:
        if self._camera is None:
            return
        model = self._camera.model
        info = messages.camera_info_cdr(stamp, model.width, model.height, model.K)
        self._writer.write(topics.CAMERA_INFO, now, info)
        self._writer.write(
            topics.CAMERA_COMPRESSED, now, messages.compressed_image_cdr(stamp, jpeg)
        )
