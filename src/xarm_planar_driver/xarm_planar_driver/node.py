"""Lifecycle node `xarm_planar_driver`: parameters, topics and services around PlanarDriver."""

import gc
import logging
import sys
import traceback
from collections.abc import Callable, Coroutine
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticStatus
from geometry_msgs.msg import PoseStamped, Vector3Stamped
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.task import Future
from rclpy.time import Time
from sensor_msgs.msg import JointState
from std_srvs.srv import SetBool, Trigger

import planar_arm.xarm6 as xarm6
from ibc_contract import topics
from ibc_contract.errors import IbcError
from ibc_contract.ros import Diagnostics, declare_config, newest, to_ns
from ibc_contract.runner import run
from planar_arm.workspace import DEFAULT_WORKSPACE
from xarm_planar_driver.arbitration import Command, Source
from xarm_planar_driver.config import DriverConfig
from xarm_planar_driver.driver import PlanarDriver
from xarm_planar_driver.errors import ArmError
from xarm_planar_driver.motion import Outcome, Phase, Request
from xarm_planar_driver.servo_loop import TickReport

DIAGNOSE_PERIOD = 1.0
"""Between two diagnostics [s]; changes of the phase are told at once."""
DISABLE_TIMEOUT = 2.0
"""How long deactivating may take [s]."""


class XarmPlanarDriverNode(LifecycleNode):
    """Configure connects, activate enables and goes home, deactivate holds, cleanup disconnects."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__('xarm_planar_driver', **kwargs)
        self.exit_code: int | None = None
        self._driver: PlanarDriver | None = None
        self._failure: IbcError | None = None
        self._phase = Phase.IDLE
        self._config = declare_config(self, DriverConfig)
        self._create_messages()
        self._create_publishers()
        self._create_subscriptions()
        self._create_services()
        self._diagnostics = Diagnostics(self, 'arm')
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(DIAGNOSE_PERIOD, self._diagnose, clock=steady)
        if self._config.autostart:
            self._autostart()

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Connect to the arm and publish what it measures."""
        try:
            self._driver = PlanarDriver(
                self._config, self._publish_tick, self._on_lost, self._now_ns
            )
        except IbcError as error:
            self._failure = error
            if not self._config.autostart:
                self.get_logger().error(str(error))
            return TransitionCallbackReturn.FAILURE
        except Exception:  # rclpy would swallow the traceback
            self.get_logger().error(traceback.format_exc())
            return TransitionCallbackReturn.ERROR
        return TransitionCallbackReturn.SUCCESS

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Enable the arm and let it set out for home."""
        if self._driver is None:
            return TransitionCallbackReturn.FAILURE
        self._driver.request(Request.ENABLE).add_done_callback(
            lambda future: self._log_outcome('enable', future.result())
        )
        _settle_garbage()
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Hold."""
        if self._driver is not None:
            self._driver.request(Request.DISABLE).result(DISABLE_TIMEOUT)
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop and disconnect."""
        self._release()
        return TransitionCallbackReturn.SUCCESS

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop and disconnect."""
        self._release()
        return TransitionCallbackReturn.SUCCESS

    def close(self) -> None:
        """Stop the arm, disconnect, end the threads."""
        self._release()

    def _autostart(self) -> None:
        configured = self.trigger_configure() == TransitionCallbackReturn.SUCCESS
        if not configured or self.trigger_activate() != TransitionCallbackReturn.SUCCESS:
            self._release()
            self.destroy_node()
            raise self._failure or ArmError('the driver could not start, see the log')

    def _release(self) -> None:
        driver, self._driver = self._driver, None
        if driver is not None:
            driver.close()
            gc.unfreeze()
            gc.enable()

    def _create_messages(self) -> None:
        """Make the messages once: the servo thread only fills in numbers."""
        self._joint_states = JointState(name=list(xarm6.JOINT_NAMES))
        self._joint_states.header.frame_id = topics.LINK_BASE
        self._tcp_pose = PoseStamped()
        self._tcp_pose.header.frame_id = topics.LINK_BASE
        self._tcp_setpoint = PoseStamped()
        self._tcp_setpoint.header.frame_id = topics.LINK_BASE
        self._tcp_setpoint.pose.position.z = DEFAULT_WORKSPACE.tool_height
        _fill_orientation(self._tcp_setpoint, xarm6.TOOL_DOWN_XYZW)

    def _create_publishers(self) -> None:
        self._joint_publisher = self.create_publisher(JointState, topics.JOINT_STATES, newest(10))
        self._pose_publisher = self.create_publisher(PoseStamped, topics.TCP_POSE, newest(10))
        self._setpoint_publisher = self.create_publisher(
            PoseStamped, topics.TCP_SETPOINT, newest(10)
        )

    def _create_subscriptions(self) -> None:
        for topic, source in (
            (topics.TELEOP_DELTA, Source.TELEOP),
            (topics.POLICY_DELTA, Source.POLICY),
        ):
            self.create_subscription(Vector3Stamped, topic, self._receiver(source), newest(10))

    def _create_services(self) -> None:
        # Requests answer when the arm has arrived; meanwhile commands and arm/stop must get in.
        # (rclpy awaits coroutines, though its annotations do not say so.)
        group = ReentrantCallbackGroup()
        self.create_service(SetBool, topics.ARM_ENABLE, self._on_enable, callback_group=group)  # type: ignore[arg-type]
        for name, request in (
            (topics.ARM_STOP, Request.STOP),
            (topics.ARM_RESET, Request.RESET),
            (topics.ARM_HOME, Request.HOME),
        ):
            respond = self._responder(request)
            self.create_service(Trigger, name, respond, callback_group=group)  # type: ignore[arg-type]

    def _receiver(self, source: Source) -> Callable[[Vector3Stamped], None]:
        def receive(message: Vector3Stamped) -> None:
            driver = self._driver
            if driver is not None:
                delta = np.array((message.vector.x, message.vector.y))
                driver.submit(Command(source, delta, to_ns(message.header.stamp)))

        return receive

    def _responder(
        self, request: Request
    ) -> Callable[[Trigger.Request, Trigger.Response], Coroutine[Any, Any, Trigger.Response]]:
        async def respond(_: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
            return await self._answer(request, response)

        return respond

    async def _on_enable(
        self, message: SetBool.Request, response: SetBool.Response
    ) -> SetBool.Response:
        return await self._answer(Request.ENABLE if message.data else Request.DISABLE, response)

    async def _answer(self, request: Request, response: Any) -> Any:
        driver = self._driver
        if driver is None:
            response.success, response.message = False, 'not connected: configure the driver first'
            return response
        done = Future()
        driver.request(request).add_done_callback(lambda future: done.set_result(future.result()))
        outcome: Outcome = await done  # type: ignore[assignment]
        self._log_outcome(request, outcome)
        self._diagnose()
        response.success, response.message = outcome.success, outcome.message
        return response

    def _log_outcome(self, request: str, outcome: Outcome) -> None:
        if outcome.success:
            self.get_logger().info(f'{request}: {outcome.message}')
        else:
            self.get_logger().error(f'{request}: {outcome.message}')

    def _publish_tick(self, report: TickReport) -> None:
        """Publish one tick. In the servo thread."""
        measured = Time(nanoseconds=report.measured_ns).to_msg()
        self._joint_states.header.stamp = measured
        self._joint_states.position = report.q
        self._joint_states.velocity = report.velocities
        self._joint_publisher.publish(self._joint_states)
        self._tcp_pose.header.stamp = measured
        _fill_position(self._tcp_pose, report.tcp.position)
        _fill_orientation(self._tcp_pose, report.tcp.quaternion)
        self._pose_publisher.publish(self._tcp_pose)
        if report.setpoint_xy is not None:
            self._tcp_setpoint.header.stamp = Time(nanoseconds=report.stamp_ns).to_msg()
            self._tcp_setpoint.pose.position.x = float(report.setpoint_xy[0])
            self._tcp_setpoint.pose.position.y = float(report.setpoint_xy[1])
            self._setpoint_publisher.publish(self._tcp_setpoint)
        if report.phase is not self._phase:
            self._phase = report.phase
            self._diagnose()

    def _on_lost(self, reason: str) -> None:
        """End the process. In the servo thread."""
        self.get_logger().error(reason)
        self.exit_code = 1

    def _now_ns(self) -> int:
        return self.get_clock().now().nanoseconds

    def _diagnose(self) -> None:
        driver = self._driver
        if driver is None:
            self._diagnostics.publish(DiagnosticStatus.WARN, 'not connected to an arm', {})
            return
        status = driver.status()
        level, message = status.judge()
        self._diagnostics.publish(
            bytes([level]), message, status.values(), hardware_id=self._config.robot_ip
        )
        # Automatic collection is off: the young objects go here, not in the middle of a tick.
        gc.collect(1)


def _settle_garbage() -> None:
    """Keep the collector from walking through everything that start-up made, and from ticks."""
    gc.collect()
    gc.freeze()
    gc.disable()


def _fill_position(message: PoseStamped, position: Any) -> None:
    point = message.pose.position
    point.x, point.y, point.z = map(float, position)


def _fill_orientation(message: PoseStamped, xyzw: Any) -> None:
    turn = message.pose.orientation
    turn.x, turn.y, turn.z, turn.w = map(float, xyzw)


def main(args: list[str] | None = None) -> None:
    """Run the driver until a signal, or until the arm is gone."""
    logging.basicConfig(level=logging.INFO, format='[%(levelname)s] [%(name)s]: %(message)s')
    sys.exit(run(XarmPlanarDriverNode, args))


if __name__ == '__main__':
    main()
