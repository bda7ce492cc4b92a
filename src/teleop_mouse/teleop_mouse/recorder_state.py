"""What the line on recorder/state says, taken apart for the window."""

from dataclasses import dataclass
from typing import Self

from xarm_twin.tasks import TASK_NAMES, get_task


@dataclass(frozen=True)
class RecorderState:
    """The newest word of the recorder; all empty while it is silent."""

    recording: bool = False
    text: str = ''
    """State, length and label of the episode, such as `recording 3.2 s [success]`."""
    task: str = ''
    """What is recorded, or would be, in words where they are known."""
    trouble: str = ''
    """What is wrong with the episode, or why the last one ended early."""

    @classmethod
    def parse(cls, line: str) -> Self:
        """Take `recording TASK 3.2 s [success] (NAME) - TROUBLE` or `idle TASK - TROUBLE` apart."""
        facts, _, trouble = line.partition(' - ')
        state, _, rest = facts.partition(' ')
        task, _, progress = rest.partition(' ')
        progress = progress.partition(' (')[0]
        return cls(state == 'recording', f'{state} {progress}'.rstrip(), _in_words(task), trouble)


def _in_words(task: str) -> str:
    return get_task(task).label if task in TASK_NAMES else task
