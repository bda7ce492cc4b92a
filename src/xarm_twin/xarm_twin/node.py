"""Node `xarm_twin`: physics in real time behind an emulated xArm controller, and ground truth.

There is no rendering in this process: the camera process renders from the scene states.
"""

import contextlib
import logging
import sys
import threading
from typing import Annotated, Any

import pydantic
from diagnostic_msgs.msg import DiagnosticStatus
from geometry_msgs.msg import PoseArray
from pydantic import Field
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from std_msgs.msg import Float64, Int64
from std_srvs.srv import Trigger

from ibc_contract import topics
from ibc_contract.errors import IbcError
from ibc_contract.messages import float64_cdr, pose_array_cdr
from ibc_contract.pacing import ticks
from ibc_contract.ros import Diagnostics, declare_config, latched, newest
from ibc_contract.runner import run
from xarm_twin.controller import EmulatedController, FaultPort
from xarm_twin.controller.reports import ports_from
from xarm_twin.real_time import RealTimeTwin
from xarm_twin.scene_state import SceneStateServer
from xarm_twin.tasks import get_task
from xarm_twin.world import World

PUBLISH_PERIOD = 0.05
"""Time between ground-truth messages [s]."""

TOO_SLOW = 0.95
"""Below this real-time factor the diagnostics warn."""

JOIN_TIMEOUT = 2.0


@pydantic.dataclasses.dataclass(frozen=True)
class TwinConfig:
    """Parameters of the node."""

    task: Annotated[str, Field(description='task on the board')] = 'push_red'
    seed: Annotated[int, Field(ge=0, le=2**31, description='seed of the first layout')] = 0
    host: Annotated[
        str,
        Field(pattern=r'^127\.\d+\.\d+\.\d+$', description='loopback address of all ports'),
    ] = '127.0.0.1'
    control_port: Annotated[
        int, Field(ge=0, le=65535, description='control port of the controller; 0: any free')
    ] = 15502
    report_port_base: Annotated[
        int,
        Field(ge=0, le=65532, description='first of four report ports; 0: any free'),
    ] = 15030
    scene_port: Annotated[
        int, Field(ge=0, le=65535, description='port of the scene states; 0: any free')
    ] = 15600
    fault_port: Annotated[
        int, Field(ge=0, le=65535, description='port that takes faults to inject; 0: any free')
    ] = 15700
    arm_delay: Annotated[
        float,
        Field(ge=0, le=0.5, description='dead time before the arm follows, put in by hand [s]'),
    ] = 0.0

    def report_ports(self) -> dict[str, int]:
        """Report ports by kind, in the vendor's order."""
        return ports_from(self.report_port_base) if self.report_port_base else {}


class XarmTwinNode(Node):
    """An xArm6 with its task, as far as the network can tell."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__('xarm_twin', **kwargs)
        self.exit_code: int | None = None
        self._config = declare_config(self, TwinConfig)
        self._task = get_task(self._config.task)
        self._seed = self._config.seed
        self._stop = threading.Event()
        self._objects_publisher = self.create_publisher(PoseArray, topics.TWIN_OBJECTS, newest())
        self._score_publisher = self.create_publisher(Float64, topics.TWIN_SCORE, newest())
        self._seed_publisher = self.create_publisher(Int64, topics.TWIN_SEED, latched())
        self._diagnostics = Diagnostics(self, 'simulation')
        with contextlib.ExitStack() as resources:
            self._start(resources)
            self._resources = resources.pop_all()
        self.create_service(Trigger, topics.TWIN_RESET, self._on_reset)
        self._seed_publisher.publish(Int64(data=self._seed))
        self.create_timer(1.0, self._diagnose, clock=Clock(clock_type=ClockType.STEADY_TIME))
        self.get_logger().info(
            f'{self._task.name}, seed {self._seed}: controller at '
            f'{self.controller.host}:{self.controller.port}, scene states on {self.scene.port}'
        )

    def close(self) -> None:
        """Close all ports, then stop the physics."""
        self._resources.close()

    def _start(self, resources: contextlib.ExitStack) -> None:
        """Build what runs beside ROS; `resources` takes it down in reverse order."""
        config = self._config
        world = World(self._task, self._seed)
        resources.callback(world.close)
        self.scene = resources.enter_context(SceneStateServer(config.host, config.scene_port))
        self.twin = RealTimeTwin(
            world,
            self.scene.publish,
            lambda: self.get_clock().now().nanoseconds,
            config.arm_delay,
        )
        self.controller = EmulatedController(
            self.twin, config.host, config.control_port, config.report_ports()
        )
        resources.callback(self.twin.stop)
        self.twin.start()
        resources.enter_context(self.controller)
        resources.enter_context(FaultPort(self.controller, config.fault_port, config.host))
        thread = threading.Thread(target=self._publish, name='ground truth', daemon=True)
        resources.callback(thread.join, JOIN_TIMEOUT)
        resources.callback(self._stop.set)
        thread.start()

    def _publish(self) -> None:
        stamp = 0
        for _ in ticks(PUBLISH_PERIOD, self._stop):
            state = self.twin.newest()
            if state.stamp_ns == stamp:
                continue
            stamp = state.stamp_ns
            self._objects_publisher.publish(pose_array_cdr(stamp, state.objects))
            self._score_publisher.publish(float64_cdr(self._task.score(state.objects)))

    def _on_reset(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        try:
            self.twin.reset(self._seed + 1)
        except IbcError as error:
            response.success, response.message = False, str(error)
            return response
        self._seed += 1
        self._seed_publisher.publish(Int64(data=self._seed))
        response.success, response.message = True, f'layout of seed {self._seed}'
        self.get_logger().info(response.message)
        return response

    def _diagnose(self) -> None:
        if self.twin.failed:
            self.get_logger().error('the simulation ended by an error of its own, see the log')
            self.exit_code = 2
        pace = self.twin.take_pace()
        controller = self.controller.state.snapshot()
        slow = pace.real_time_factor < TOO_SLOW
        self._diagnostics.publish(
            DiagnosticStatus.WARN if slow else DiagnosticStatus.OK,
            'slower than real time' if slow else 'in real time',
            {
                'task': self._task.name,
                'seed': self._seed,
                'real-time factor': f'{pace.real_time_factor:.3f}',
                'missed steps': pace.missed,
                'controller mode': controller.mode,
                'controller state': int(controller.state),
                'controller error': int(controller.error),
            },
        )


def main(args: list[str] | None = None) -> None:
    """Run the twin until a signal."""
    logging.basicConfig(level=logging.INFO, format='[%(levelname)s] [%(name)s]: %(message)s')
    sys.exit(run(XarmTwinNode, args, (TwinConfig,)))


if __name__ == '__main__':
    main()
