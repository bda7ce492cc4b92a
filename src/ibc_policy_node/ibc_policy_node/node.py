"""Lifecycle node `ibc_policy`: a trained policy on live observations, at the contract's rate."""

import sys
import traceback
from collections.abc import Callable
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticStatus
from geometry_msgs.msg import PoseArray, PoseStamped, Vector3Stamped
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn
from rclpy.subscription import Subscription
from rclpy.time import Time
from sensor_msgs.msg import CompressedImage
from std_srvs.srv import SetBool

from ibc_contract import topics
from ibc_contract.contract import Contract, load_contract
from ibc_contract.errors import IbcError
from ibc_contract.managed_node import ManagedNode
from ibc_contract.observation import ObservationWindow, observation_window
from ibc_contract.ros import Diagnostics, declare_config, newest
from ibc_contract.runner import run
from ibc_policy_node.config import PolicyConfig
from ibc_policy_node.effect_time import EffectTimeWindow
from ibc_policy_node.policy_loop import PolicyLoop
from ibc_policy_node.switch_node import PolicySwitch
from implicit_bc.bundle import Bundle, load_bundle
from implicit_bc.bundle_files import find_bundle, read_description
from implicit_bc.device import usable_device
from implicit_bc.threads import use_threads

INPUTS: dict[str, tuple[type, int]] = {
    topics.CAMERA_COMPRESSED: (CompressedImage, 1),
    topics.TWIN_OBJECTS: (PoseArray, 10),
    topics.TCP_SETPOINT: (PoseStamped, 10),
}
"""Message type and queue depth of each topic that an observation may be made from."""
LATENCY_SLACK = 0.03
"""A latency this far from the trained one is worth a word [s]."""
FASTER = 'use fewer candidates, a smaller network or device:=cuda'


class PolicyNode(ManagedNode):
    """Configure loads and warms up, activate ticks; it acts while `policy/enable` says so."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__('ibc_policy', **kwargs)
        self.exit_code: int | None = None
        self._bundle: Bundle | None = None
        self._latency_s = 0.0
        self._loop: PolicyLoop | None = None
        self._window: ObservationWindow | None = None
        self._inputs: list[Subscription] = []
        self._slow_told = 0
        self._failure: IbcError | None = None
        self._is_shut_down = False
        self._config = declare_config(self, PolicyConfig)
        self._actions = self.create_lifecycle_publisher(
            Vector3Stamped, topics.POLICY_DELTA, newest()
        )
        self._switch = PolicySwitch(self, self._on_stop)
        self.create_service(SetBool, topics.POLICY_ENABLE, self._on_enable)
        self._diagnostics = Diagnostics(self, 'policy')
        self.create_timer(1.0, self._diagnose, clock=Clock(clock_type=ClockType.STEADY_TIME))
        if self._config.autostart:
            self._autostart()

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the model and decide a few times, so that the first tick is as fast as the rest."""
        try:
            bundle = self._load()
            seconds = bundle.policy.warm_up()
            self._latency_s = self._latency(seconds, bundle)
        except IbcError as error:
            self._failure = error
            if not self._config.autostart:
                self.get_logger().error(str(error))
            self._diagnose()
            return TransitionCallbackReturn.FAILURE
        except Exception:  # rclpy would swallow the traceback
            self.get_logger().error(traceback.format_exc())
            return TransitionCallbackReturn.ERROR
        self._bundle, self._failure = bundle, None
        self.get_logger().info(
            f'{bundle.path}: contract {bundle.contract.name}, '
            f'{1e3 * seconds:.1f} ms per decision on {self._config.device}'
        )
        return TransitionCallbackReturn.SUCCESS

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Watch, and act if enabled."""
        if self._bundle is None:
            return TransitionCallbackReturn.FAILURE
        contract = self._bundle.contract
        self._window = window = self._make_window(contract)
        self._loop = PolicyLoop(
            self._bundle.policy,
            window,
            contract.observation.kind,
            contract.period_s,
            lambda: self.get_clock().now().nanoseconds,
            self._publish_action,
            self._warn_skipped,
            self._warn_slow,
            self._on_failure,
            self._config.seed,
            self._config.time_budget,
        )
        for topic in window.topics:
            message_type, depth = INPUTS[topic]
            self._inputs.append(
                self.create_subscription(
                    message_type, topic, self._receiver(topic, self._loop), newest(depth)
                )
            )
        self._slow_told = 0
        self._let_act(self._loop, self._config.enabled)
        if not self._config.enabled:
            self.get_logger().info(f'only watching: {topics.POLICY_ENABLE} lets it act')
        transition = super().on_activate(state)
        self._loop.start()
        return transition

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop acting and watching."""
        self._stop()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Forget the model."""
        self._stop()
        self._bundle = None
        return TransitionCallbackReturn.SUCCESS

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop acting and watching."""
        self._stop()
        self._is_shut_down = True
        return TransitionCallbackReturn.SUCCESS

    def close(self) -> None:
        """Stop acting and end the thread."""
        if not self._is_shut_down:
            self.trigger_shutdown()

    def _load(self) -> Bundle:
        if self._config.threads:
            use_threads(self._config.threads)
        path = find_bundle(self._config.model)
        # The contract as this installation knows it: a model for another one is refused.
        contract = load_contract(str(read_description(path)['contract'].get('name')))
        device = usable_device(self._config.device)
        return load_bundle(path, contract, device, self._config.steadiness)

    def _autostart(self) -> None:
        configured = self.trigger_configure() == TransitionCallbackReturn.SUCCESS
        if not configured or self.trigger_activate() != TransitionCallbackReturn.SUCCESS:
            self.close()
            self.destroy_node()
            raise self._failure or RuntimeError('the policy could not start, see the log')

    def _stop(self) -> None:
        loop, self._loop = self._loop, None
        if loop is not None:
            self._let_act(loop, False)
            loop.close()
        for subscription in self._inputs:
            self.destroy_subscription(subscription)
        self._inputs.clear()

    def _latency(self, decision: float, bundle: Bundle) -> float:
        """Return the time from a tick to the setpoint's move [s]; 0 if it is not compensated."""
        if not self._config.command_latency:
            return 0.0
        contract = bundle.contract
        # A longer search is cut short.
        decision = min(decision, self._config.time_budget or contract.period_s, contract.period_s)
        latency = decision + self._config.command_latency
        if contract.observation.kind == 'image':
            self._compare_latency(latency, bundle)
            return 0.0
        if latency > contract.observation.max_age_s:
            raise IbcError(
                f'a decision takes {decision:.2f} s, so with command_latency '
                f'{self._config.command_latency:g} s its action begins later than setpoints may be '
                f'foretold, {contract.observation.max_age_s:g} s: {FASTER}, or command_latency:=0'
            )
        self.get_logger().info(f'each tick acts for {1e3 * latency:.0f} ms later')
        return latency

    def _compare_latency(self, latency: float, bundle: Bundle) -> None:
        """Say what a policy that sees pictures was trained for: they cannot be foretold."""
        training = bundle.description['provenance'].get('training', {})
        trained = training.get('latency_s') or 0.0
        line = f'its actions begin {1e3 * latency:.0f} ms after their ticks'
        if abs(latency - trained) > LATENCY_SLACK:
            self.get_logger().info(
                f'{line}, but it was trained for {1e3 * trained:.0f} ms: to have it act for then, '
                f'train it with --set latency_s={latency:.2f}'
            )
        else:
            self.get_logger().info(f'{line}, as it was trained')

    def _make_window(self, contract: Contract) -> ObservationWindow:
        if self._latency_s:
            return EffectTimeWindow(contract, round(self._latency_s * 1e9))
        return observation_window(contract)

    def _receiver(self, topic: str, loop: PolicyLoop) -> Callable[[Any], None]:
        return lambda message: loop.add(topic, message)

    def _publish_action(self, tick_ns: int, action: np.ndarray) -> None:
        """Publish one action, stamped with its tick. In the loop's thread."""
        if isinstance(self._window, EffectTimeWindow):
            self._window.act(tick_ns, action)
        message = Vector3Stamped()
        message.header.stamp = Time(nanoseconds=tick_ns).to_msg()
        message.header.frame_id = topics.LINK_BASE
        message.vector.x, message.vector.y = map(float, action)
        self._actions.publish(message)

    def _warn_skipped(self, reason: str) -> None:
        """In the loop's thread."""
        self.get_logger().warn(f'no action: {reason}', throttle_duration_sec=2.0)

    def _warn_slow(self, seconds: float) -> None:
        """In the loop's thread."""
        self.get_logger().warn(
            f'a decision took {1e3 * seconds:.0f} ms, longer than its period: {FASTER}',
            throttle_duration_sec=2.0,
        )

    def _on_failure(self) -> None:
        """End the process. In the loop's thread."""
        self.get_logger().error(traceback.format_exc())
        self.exit_code = 2

    def _on_enable(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        loop, bundle = self._loop, self._bundle
        if loop is None or bundle is None:
            response.success, response.message = False, 'not active: activate the policy first'
            return response
        if request.data and self._switch.refusal:
            response.success, response.message = False, self._switch.refusal
            return response
        self._let_act(loop, request.data)
        response.success = True
        response.message = f'{bundle.name} {"acts" if request.data else "watches"}'
        self.get_logger().info(response.message)
        self._diagnose()
        return response

    def _let_act(self, loop: PolicyLoop, on: bool) -> None:
        self._switch.turn(on)  # first: the driver shall know of it before an action comes
        loop.enable(on)

    def _on_stop(self) -> None:
        """Watch: the arm was stopped."""
        if self._loop is not None:
            self._loop.enable(False)
        self.get_logger().info(self._switch.off_because)
        self._diagnose()

    def _diagnose(self) -> None:
        loop, bundle = self._loop, self._bundle
        if self._failure is not None:
            self._diagnostics.publish(DiagnosticStatus.ERROR, str(self._failure), {})
            return
        if loop is None or bundle is None:
            self._diagnostics.publish(DiagnosticStatus.WARN, 'not active', {})
            return
        status = loop.status()
        slow, self._slow_told = status.slow - self._slow_told, status.slow
        level, message = DiagnosticStatus.OK, 'acting' if status.enabled else 'watching'
        if self._switch.off_because:
            level, message = DiagnosticStatus.WARN, self._switch.off_because
        elif status.enabled and status.stale:
            level, message = DiagnosticStatus.WARN, status.stale
        elif slow:
            message = f'{slow} decisions took longer than the period: {FASTER}'
            level = DiagnosticStatus.WARN
        values = {
            'model': bundle.name,
            'contract': bundle.contract.hash,
            **status.values(),
        }
        self._diagnostics.publish(level, message, values)


def main(args: list[str] | None = None) -> None:
    """Run the node as a process."""
    sys.exit(run(PolicyNode, args, (PolicyConfig,)))


if __name__ == '__main__':
    main()
