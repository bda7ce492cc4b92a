"""An emulated xArm6 by itself, without ROS: for any program that talks to an xArm."""

import contextlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from xarm_twin.controller import EmulatedController, FaultPort, LagPlant, PortUnavailable
from xarm_twin.controller.reports import ports_from

log = logging.getLogger(__name__)

VENDOR_CONTROL_PORT = 502
"""What the vendor's software looks for; below 1024, so not everybody may listen there."""
OPEN_CONTROL_PORT = 15502
VENDOR_REPORT_BASE = 30000
FAULT_PORT = 15700


@dataclass(frozen=True)
class TwinPlan:
    """What to serve and where."""

    host: str = '127.0.0.1'
    """Address for arm clients. Faults are taken on 127.0.0.1 whatever this is."""
    control_port: int | None = None
    """0 is any free one; None is the vendor's where that is allowed, else OPEN_CONTROL_PORT."""
    report_base: int = VENDOR_REPORT_BASE
    """Developer reports; normal, rich and real ones on the next three numbers. 0 is any free."""
    fault_port: int = FAULT_PORT
    """0 is any free one."""
    task: str | None = None
    """With a task, the arm is simulated with its board and objects; without, it moves alone."""
    seed: int = 0
    """Of the task's layout."""
    scene_port: int = 15600
    """Where the state of a task's scene is told; 0 is any free one."""


class StandaloneTwin:
    """Serves one arm in real time. Use as a context manager."""

    def __init__(self, plan: TwinPlan) -> None:
        """Bind the ports and build the world.

        Raises:
            PortUnavailable: A port is taken or not allowed.
            UnknownTask: There is no such task.
        """
        self._plan = plan
        self._twin: Any = None
        self.scene_port: int | None = None
        """Where the scene is told; None without a task."""
        with contextlib.ExitStack() as resources:
            self._build(resources)
            self._resources = resources.pop_all()

    def __enter__(self) -> Self:
        """Return the twin, which serves already."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Close all ports and stop the physics."""
        self._resources.close()

    @property
    def failed(self) -> bool:
        """Whether the physics ended by an error."""
        return self._twin is not None and self._twin.failed

    def ports(self) -> Mapping[str, int]:
        """Return what it listens on, by name."""
        ports = {'control': self.controller.port, **self.controller.report_ports}
        if self.scene_port is not None:
            ports['scene'] = self.scene_port
        return {**ports, 'faults': self.faults.port}

    def _build(self, resources: contextlib.ExitStack) -> None:
        plan = self._plan
        plant = LagPlant() if plan.task is None else self._start_world(plan.task, resources)
        self.controller = self._listen(plant)
        resources.enter_context(self.controller)
        self.faults = resources.enter_context(FaultPort(self.controller, plan.fault_port))

    def _start_world(self, task: str, resources: contextlib.ExitStack) -> Any:
        # The physics engine takes a second to load, and a lone arm does not need it.
        from xarm_twin.real_time import RealTimeTwin
        from xarm_twin.scene_state import SceneStateServer
        from xarm_twin.world import World

        world = World(task, self._plan.seed)
        resources.callback(world.close)
        scene = resources.enter_context(SceneStateServer('127.0.0.1', self._plan.scene_port))
        self._twin = RealTimeTwin(world, scene.publish)
        self.scene_port = scene.port
        resources.callback(self._twin.stop)
        self._twin.start()
        return self._twin

    def _listen(self, plant: Any) -> EmulatedController:
        plan = self._plan
        reports = ports_from(plan.report_base) if plan.report_base else {}
        if plan.control_port is not None:
            return EmulatedController(plant, plan.host, plan.control_port, reports)
        try:
            return EmulatedController(plant, plan.host, VENDOR_CONTROL_PORT, reports)
        except PortUnavailable as error:
            if not error.forbidden:
                raise
            return EmulatedController(plant, plan.host, OPEN_CONTROL_PORT, reports)


def describe_state(state: Mapping[str, Any]) -> str:
    """Return the lines of `ibc twin state` for the answer of a fault port."""
    numbers = {name: ' '.join(f'{v:8.2f}' for v in state[name]) for name in _ROWS}
    link = state['link']
    wrong = [name.replace('_', ' ') for name, value in link.items() if value]
    lines = [
        f'mode {state["mode"]}, state {state["state"]}, error {state["error"]}, '
        f'warning {state["warning"]}, motors {"on" if state["enabled"] else "off"}, '
        f'{state["pending_commands"]} commands pending, {state["clients"]} connections',
        *(f'{label:<22}{numbers[name]}' for name, label in _ROWS.items()),
    ]
    if state['emergency_stop']:
        lines.append('the emergency stop is pressed')
    if wrong:
        lines.append(f'link: {", ".join(wrong)}')
    return '\n'.join(lines)


_ROWS = {
    'joints_deg': 'joints [deg]',
    'joint_speeds_deg_s': 'joint speeds [deg/s]',
    'commanded_pose_mm_deg': 'tool [mm, deg]',
}
