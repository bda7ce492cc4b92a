"""Which pushing environment: task, form, and what counts as success."""

from typing import Annotated, Literal

import pydantic
from pydantic import ConfigDict, Field

Task = Literal['single', 'multi']
Form = Literal['faithful', 'fixed']

SWITCH_TOLERANCE = 0.04
"""The oracle of `multi` turns to the second zone nearer than this to the first [m]."""

_HORIZON = {'single': 100, 'multi': 200}
_EVALUATION = {
    ('single', 'faithful'): 0.02,
    ('single', 'fixed'): 0.02,
    ('multi', 'faithful'): 0.02,
    ('multi', 'fixed'): 0.04,
}
_DEMONSTRATION = _EVALUATION | {('single', 'faithful'): 0.01, ('multi', 'faithful'): 0.04}


@pydantic.dataclasses.dataclass(frozen=True, config=ConfigDict(extra='forbid'))
class PushingConfig:
    """Which of the pushing environments."""

    task: Annotated[Task, Field(description='one zone, or two one after the other')] = 'single'
    form: Annotated[Form, Field(description='with or without the bugs of the release')] = 'fixed'
    tolerance: Annotated[
        float | None,
        Field(gt=0, le=0.1, description='block to zone [m]; None: what the form evaluates with'),
    ] = None

    @property
    def success_distance(self) -> float:
        """A zone is reached nearer than this [m]."""
        if self.tolerance is not None:
            return self.tolerance
        return _EVALUATION[self.task, self.form]

    @property
    def horizon(self) -> int:
        """Longest episode, in steps."""
        return _HORIZON[self.task]

    @property
    def zones(self) -> int:
        """Number of zones."""
        return 1 if self.task == 'single' else 2

    @property
    def observation_size(self) -> int:
        """10 or 13 (paper Table 7)."""
        return 7 + 3 * self.zones

    def for_demonstrations(self) -> 'PushingConfig':
        """Return this with the tolerance at which the form's demonstrations end."""
        distance = self.tolerance or _DEMONSTRATION[self.task, self.form]
        return PushingConfig(task=self.task, form=self.form, tolerance=distance)
