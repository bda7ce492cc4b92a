"""Lifecycle node `xarm_planar_driver`: parameters, topics and services around PlanarDriver."""

import functools
import gc
import logging
import sys
import traceback
from collections.abc import Callable, Coroutine
from typing import Any, Concatenate, ParamSpec

from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn
from rclpy.task import Future
from std_msgs.msg import String
from std_srvs.srv import SetBool, Trigger

from ibc_contract import topics
from ibc_contract.errors import IbcError
from ibc_contract.managed_node import ManagedNode
from ibc_contract.ros import Diagnostics, declare_config, latched
from ibc_contract.runner import run
from xarm_planar_driver.config import NO_TABLE, DriverConfig
from xarm_planar_driver.driver import PlanarDriver
from xarm_planar_driver.driver_status import Level
from xarm_planar_driver.errors import ArmError, ArmFault
from xarm_planar_driver.inputs_node import Inputs
from xarm_planar_driver.phases import Outcome, Phase, Request
from xarm_planar_driver.rival_node import SECOND_DRIVER, Rival
from xarm_planar_driver.tick_publisher_node import TickPublisher

DIAGNOSE_PERIOD = 1.0
"""Between two diagnostics [s]; changes of the phase are told at once."""
ENABLE_TIMEOUT = 10.0
"""How long the arm may take to be enabled [s]; that it goes home then is not waited for."""
DISABLE_TIMEOUT = 2.0
"""How long deactivating may take [s]."""
MOVING = frozenset((Request.ENABLE, Request.RESET, Request.HOME))
"""Requests that only an active driver takes; the others stop the arm."""

P = ParamSpec('P')
Transition = Callable[Concatenate['XarmPlanarDriverNode', P], TransitionCallbackReturn]


def _logged(transition: Transition[P]) -> Transition[P]:
    """Log what a transition raises: rclpy would swallow it, and only say ERROR."""

    @functools.wraps(transition)
    def run_logged(
        self: 'XarmPlanarDriverNode', /, *args: P.args, **kwargs: P.kwargs
    ) -> TransitionCallbackReturn:
        try:
            return transition(self, *args, **kwargs)
        except Exception:
            self.get_logger().error(traceback.format_exc())
            return TransitionCallbackReturn.ERROR

    return run_logged


class XarmPlanarDriverNode(ManagedNode):
    """Configure connects, activate enables, deactivate holds, cleanup disconnects.

    Once active, the arm sets out for home; until it is there, commands are ignored. A stop outlasts
    these transitions: only `arm/reset` re-arms.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__('xarm_planar_driver', **kwargs)
        self.exit_code: int | None = None
        self._driver: PlanarDriver | None = None
        self._failure: IbcError | None = None
        self._is_starting = False
        self._is_active = False
        self._is_shut_down = False
        self._config = declare_config(self, DriverConfig)
        self._rival = Rival(self)
        self._ticks = TickPublisher(self)
        self._states = self.create_publisher(String, topics.ARM_STATE, latched())
        self._inputs = Inputs(self, lambda: self._driver)
        self._create_services()
        self._diagnostics = Diagnostics(self, 'arm')
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(DIAGNOSE_PERIOD, self._diagnose, clock=steady)
        self._phase_changed = self.create_guard_condition(self._diagnose)
        # In the executor, where a signal that came before is noticed before the arm is waited for.
        self._start = self.create_guard_condition(self._autostart)
        if self._config.autostart:
            self._start.trigger()

    @_logged
    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Connect to the arm and publish what it measures, unless another driver does."""
        self._failure = None
        if self._rival.is_heard():
            return self._refuse(ArmError(SECOND_DRIVER))
        try:
            self._driver = PlanarDriver(
                self._config,
                self._ticks.publish,
                self._on_end,
                self._now_ns,
                self._on_phase,
            )
        except IbcError as error:
            return self._refuse(error)
        except KeyboardInterrupt:  # while it waited for the arm
            self.exit_code = 0
            return TransitionCallbackReturn.FAILURE
        self._on_phase(self._driver.phase)
        return TransitionCallbackReturn.SUCCESS

    @_logged
    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Enable the arm, which then sets out for home.

        One that refuses, as while its emergency stop is pressed, is stopped as by any later fault:
        only an active driver can be reset.
        """
        self._failure = None
        driver = self._driver
        if driver is None:
            return TransitionCallbackReturn.FAILURE
        if not driver.has_table:  # also for one that is stopped: a reset would enable it
            return self._refuse(ArmError(NO_TABLE))
        if driver.phase is Phase.STOPPED:
            self.get_logger().warn('active, but the arm is still stopped: call arm/reset')
        else:
            try:
                at_home = driver.enable(ENABLE_TIMEOUT)
            except ArmFault:  # it is in the log
                pass
            except ArmError as error:
                return self._refuse(error)
            else:
                at_home.add_done_callback(lambda f: self._log_outcome('enable', f.result()))
        self._is_active = True
        _settle_garbage()
        return super().on_activate(state)

    @_logged
    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Hold; stay active when the arm does not take it in time."""
        if self._driver is not None:
            try:
                outcome = self._driver.request(Request.DISABLE).result(DISABLE_TIMEOUT)
            except TimeoutError:
                return self._refuse(
                    ArmError(f'no stop within {DISABLE_TIMEOUT:.0f} s: use the e-stop')
                )
            if not outcome.success:
                return self._refuse(ArmError(outcome.message))
        self._is_active = False
        return super().on_deactivate(state)

    @_logged
    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop and disconnect."""
        self._release()
        return TransitionCallbackReturn.SUCCESS

    @_logged
    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop and disconnect."""
        self._release()
        self._is_shut_down = True
        return TransitionCallbackReturn.SUCCESS

    @_logged
    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop and disconnect: unconfigured means that nothing is held."""
        self._release()
        return TransitionCallbackReturn.SUCCESS

    def close(self) -> None:
        """Stop the arm, disconnect, end the threads."""
        if not self._is_shut_down:
            self.trigger_shutdown()

    def _autostart(self) -> None:
        self._is_starting = True
        result = self.trigger_configure()
        if result == TransitionCallbackReturn.SUCCESS:
            result = self.trigger_activate()
        self._is_starting = False
        if result != TransitionCallbackReturn.SUCCESS and self.exit_code is None:
            raise self._failure or RuntimeError('the driver could not start, see the log')

    def _refuse(self, error: IbcError) -> TransitionCallbackReturn:
        self._failure = error
        if not self._is_starting:  # else it becomes the last words of the process
            self.get_logger().error(str(error))
        self._diagnose()
        return TransitionCallbackReturn.FAILURE

    def _release(self) -> None:
        driver, self._driver = self._driver, None
        self._is_active = False
        if driver is not None:
            driver.close()  # which tells its last phase
            gc.unfreeze()
            gc.enable()

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
        if request in MOVING and not self._is_active:
            response.success, response.message = False, 'not active: activate the driver first'
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

    def _on_phase(self, phase: Phase) -> None:
        """Publish a new phase. In the servo thread, but for the first."""
        self._states.publish(String(data=str(phase)))
        self._phase_changed.trigger()  # the executor diagnoses, not this thread

    def _on_end(self, error: Exception) -> None:
        """End the process. In the servo thread."""
        if isinstance(error, IbcError):
            self.get_logger().error(str(error))
            self.exit_code = 1
        else:  # its traceback is in the log
            self.exit_code = 2

    def _now_ns(self) -> int:
        return self.get_clock().now().nanoseconds

    def _diagnose(self) -> None:
        driver = self._driver
        if self._failure is not None and not self._is_active:
            self._diagnostics.publish(DiagnosticStatus.ERROR, str(self._failure), {})
            return
        if driver is None:
            self._diagnostics.publish(DiagnosticStatus.WARN, 'not connected to an arm', {})
            return
        status = driver.status()
        level, message = status.judge()
        if level < Level.ERROR and self._rival.is_known():
            level, message = Level.WARN, SECOND_DRIVER
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


def main(args: list[str] | None = None) -> None:
    """Run the driver until a signal, or until the arm is gone."""
    logging.basicConfig(level=logging.INFO, format='[%(levelname)s] [%(name)s]: %(message)s')
    sys.exit(run(XarmPlanarDriverNode, args, (DriverConfig,)))


if __name__ == '__main__':
    main()
