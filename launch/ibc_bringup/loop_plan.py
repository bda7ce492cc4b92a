"""How much of everything `ibc loop` does; checked before anything begins."""

from dataclasses import dataclass, fields
from pathlib import Path

from ibc_contract.errors import IbcError
from implicit_bc.preset_files import paper_preset_names, preset_names

MOST_RECORDED = 1000
"""Generated layouts begin this many seeds after the recorded ones."""
LEAST = {
    'recorded': 0,
    'generated': 0,
    'lead_in_s': 0,
    'train_seconds': 1,
    'evaluated': 1,
    'run_seconds': 1,
    'seed': 0,
}


@dataclass(frozen=True)
class LoopPlan:
    """How much of everything; IbcError names what is wrong."""

    task: str = 'push_red'
    recorded: int = 3
    """Episodes through ROS."""
    generated: int = 250
    lead_in_s: float = 8.0
    """Unrecorded, unsteady play before each generated episode, at most: what is recorded then shows
    how to come back from errors."""
    preset: str = 'cpu_small'
    train_seconds: float = 300.0
    evaluated: int = 20
    """Episodes per policy."""
    run_seconds: float = 70.0
    """Two failures of push_red take so long."""
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in LEAST.items():
            if not getattr(self, name) >= least:
                raise IbcError(f'loop: {name} is {getattr(self, name)}, at least {least} is needed')
        if self.recorded > MOST_RECORDED:
            raise IbcError(f'loop: recorded is {self.recorded}, at most {MOST_RECORDED} are taken')
        if not self.recorded + self.generated:
            raise IbcError('loop: nothing to learn from: recorded and generated are both 0')

    def check(self) -> None:
        """Raise IbcError unless task and preset exist and fit: minutes before they are needed."""
        from implicit_bc.training.config import load_config
        from xarm_twin.recipe import Recipe
        from xarm_twin.tasks import get_task

        get_task(self.task)
        if not Path(self.preset).is_file() and self.preset not in (
            *preset_names(),
            *paper_preset_names(),
        ):
            raise IbcError(
                f'unknown training preset {self.preset!r}; those that learn from what the loop '
                f'records: {", ".join(loop_presets())}, or the path of a YAML file'
            )
        config = load_config(self.preset, {'seed': self.seed, 'time_limit_s': self.train_seconds})
        if config.contract != Recipe.contract:
            raise IbcError(
                f'loop: preset {self.preset} learns from contract {config.contract}, the loop '
                f'records {Recipe.contract}: use one of {", ".join(loop_presets())}, or '
                f'`ibc generate --contract {config.contract}` and `ibc train`'
            )

    def differences(self, other: 'LoopPlan') -> str:
        """Say in which fields `other` is another plan; empty if in none."""
        pairs = [(f.name, getattr(self, f.name), getattr(other, f.name)) for f in fields(self)]
        return ', '.join(f'{name} {mine}, not {its}' for name, mine, its in pairs if mine != its)


def loop_presets() -> list[str]:
    """Names of the presets that learn from what the loop records."""
    from implicit_bc.training.config import load_config
    from xarm_twin.recipe import Recipe

    return [name for name in preset_names() if load_config(name).contract == Recipe.contract]
