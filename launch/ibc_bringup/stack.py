"""What a stack is: arguments and the processes that they turn on and parametrize."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ibc_bringup.arguments import Argument, Value, Values, as_text, missing, resolve
from ibc_bringup.parameter_files import check_parameters, config_files
from ibc_contract.errors import IbcError


@dataclass(frozen=True)
class From:
    """Stands for the value of an argument in a process's parameters."""

    argument: str


@dataclass(frozen=True)
class Names:
    """Stands for those names of the processes that run, in their order, with blanks between."""

    of: Callable[['Process'], str]
    """Name of a process to list, or '' to leave it out."""


Parameters = Mapping[str, Value | From | Names]


@dataclass(frozen=True)
class Process:
    """One node in a process of its own.

    It runs when every argument in `when` is as given there: true for what counts as true, be it a
    number or a text that is not empty. `sim_parameters` and
    `robot_parameters` apply with `sim:=true` and `sim:=false`; they, and `parameters`, override
    the values in `config/<config>.yaml`.
    """

    name: str
    package: str
    module: str
    executable: str
    config_types: Sequence[str] = ()
    """`module:Class` of the pydantic dataclasses that declare its parameters."""
    config: str = ''
    parameters: Parameters = field(default_factory=dict)
    sim_parameters: Parameters = field(default_factory=dict)
    robot_parameters: Parameters = field(default_factory=dict)
    when: Mapping[str, bool] = field(default_factory=dict)
    needs_sim: bool = False
    ends_stack: bool = False
    """The stack is done when this process is, and takes its exit code."""
    may_end: bool = False
    """It ends with code 0 when its work is done, and the stack goes on."""
    follows: str = ''
    """Name of a process that may end: this one starts after it, if the stack has it."""
    managed: bool = False
    """A lifecycle node, which the bring-up configures and activates."""
    pictures: str = ''
    """Topic of a camera, whose first picture the bring-up waits for."""
    if_killed: str = ''
    """What a person does after it was killed; `{name}` stands for the parameter of that name."""
    check: Callable[[Values], None] | None = None
    """Raises IbcError for what would fail the process, before anything starts: an arm moves."""

    def parameters_in(self, sim: bool) -> Parameters:
        """Return the parameters in the twin, or on the robot."""
        return {**self.parameters, **(self.sim_parameters if sim else self.robot_parameters)}

    def heeds(self, sim: bool) -> set[str]:
        """Name the arguments that reach it in the twin, or on the robot."""
        values = self.parameters_in(sim).values()
        return {value.argument for value in values if isinstance(value, From)}


@dataclass(frozen=True)
class NodeCall:
    """A process with every parameter filled in: what a front end starts."""

    process: Process
    parameters: Mapping[str, Value]
    namespace: str
    config_file: Path | None
    """The ROS parameter file with this deployment's values, if the process has one."""
    follows: str = ''
    """Name of the process in this stack that has to end well before it starts."""

    @property
    def if_killed(self) -> str:
        """What a person does after it was killed."""
        return self.process.if_killed.format(**self.parameters)

    @property
    def enclave(self) -> str:
        """Whose keys the node has where ROS's security is on; else it is only a name."""
        return '/'.join(['', *filter(None, [self.namespace]), self.process.name])

    def command(self) -> list[str]:
        """The command line that starts the node without ROS's own launch."""
        command = [
            sys.executable,
            '-m',
            'ibc_bringup.bare_start',
            self.process.module,
            '--ros-args',
            '--enclave',
            self.enclave,
        ]
        command += ['-r', f'__node:={self.process.name}']
        if self.namespace:
            command += ['-r', f'__ns:=/{self.namespace}']
        if self.config_file is not None:
            command += ['--params-file', str(self.config_file)]
        for name, value in self.parameters.items():
            # JSON is YAML: strings keep their quotes, so that '502' stays a string.
            command += ['-p', f'{name}:={json.dumps(value)}']
        return command


@dataclass(frozen=True)
class Stack:
    """A set of processes that run together, with the arguments that shape it."""

    name: str
    help: str
    arguments: Sequence[Argument]
    processes: Sequence[Process]

    def values(self, given: Mapping[str, str]) -> dict[str, Value]:
        """Resolve what was typed into one value per argument; IbcError for a wrong one."""
        return resolve(self.arguments, given, self.name)

    def calls(self, values: Values) -> list[NodeCall]:
        """List the nodes to start for these values, with their parameters."""
        chosen = self._chosen(values)
        for process in chosen:
            if process.needs_sim and not values.get('sim'):
                raise IbcError(f'{self.name}: {process.name} works in the twin only: add sim:=true')
        self._refuse_ignored(values, chosen)
        namespace = str(values.get('namespace', ''))
        files = config_files(str(values.get('config_dir', '')))
        names = {process.name for process in chosen}
        return [
            NodeCall(
                process,
                self._parameters(process, values, chosen),
                namespace,
                files[process.config] if process.config else None,
                process.follows if process.follows in names else '',
            )
            for process in chosen
        ]

    def check(self, values: Values) -> None:
        """Raise IbcError if something would fail once nodes run; call it before they do."""
        files = config_files(str(values.get('config_dir', '')))
        namespace = str(values.get('namespace', ''))
        for process in self._chosen(values):
            if process.config:
                check_parameters(
                    files[process.config], process.name, process.config_types, namespace
                )
        for process in self._chosen(values):
            if process.check is not None:
                process.check(values)

    def _chosen(self, values: Values) -> list[Process]:
        return [
            process
            for process in self.processes
            if all(bool(values.get(name)) == wanted for name, wanted in process.when.items())
        ]

    def _refuse_ignored(self, values: Values, chosen: Sequence[Process]) -> None:
        """Raise IbcError for a value that was asked for and that neither sets nor starts a node."""
        sim = bool(values.get('sim'))
        heeded = {name for process in chosen for name in (*process.heeds(sim), *process.when)}
        for argument in self.arguments:
            asked = not callable(argument.default) and argument.name in values
            value = values.get(argument.name, '')
            if not asked or value == argument.default or argument.name in heeded:
                continue
            if unmet := self._unmet(argument.name, values):
                raise IbcError(
                    f'{self.name}: {argument.name}:={as_text(value)} would be ignored without '
                    f'{" ".join(unmet)}'
                )

    def _unmet(self, argument: str, values: Values) -> list[str]:
        """What would have to be given for a process to heed the argument."""
        here = bool(values.get('sim'))
        for process in self.processes:
            for sim in (here, not here):
                if argument in process.heeds(sim):
                    wanted = {'sim': sim, **process.when}
                    return [
                        f'{a.name}:={as_text(wanted[a.name]) if a.kind is bool else "N"}'
                        for a in self.arguments
                        if a.name in wanted and bool(values.get(a.name)) != wanted[a.name]
                    ]
        return []

    def _parameters(
        self, process: Process, values: Values, chosen: Sequence[Process]
    ) -> dict[str, Value]:
        return {
            name: self._fill(value, values, chosen)
            for name, value in process.parameters_in(bool(values.get('sim'))).items()
        }

    def _fill(
        self, value: Value | From | Names, values: Values, chosen: Sequence[Process]
    ) -> Value:
        if isinstance(value, Names):
            return ' '.join(filter(None, map(value.of, chosen)))
        if not isinstance(value, From):
            return value
        if value.argument in values:
            return values[value.argument]
        raise missing(next(a for a in self.arguments if a.name == value.argument), self.name)
