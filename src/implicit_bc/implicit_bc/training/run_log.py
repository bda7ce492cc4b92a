"""Where the numbers of a training run go: JSON lines, TensorBoard, a progress bar."""

import json
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import torch
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

METRICS = 'metrics.jsonl'


class RunLog:
    """Writes `metrics.jsonl` and TensorBoard events of one run directory."""

    def __init__(self, run_dir: Path, start: int, steps: int, progress: bool = True) -> None:
        """Continue at step `start`: what an interrupted run logged beyond it is dropped.

        What was logged up to it stays, the validation with which an earlier run ended as well.
        """
        self.run_dir = run_dir
        path = run_dir / METRICS
        kept = [row for row in read_metrics(run_dir) if row['step'] <= start]
        path.write_text(''.join(json.dumps(row) + '\n' for row in kept))
        self._file = path.open('a')
        self._board = SummaryWriter(str(run_dir / 'tensorboard'), purge_step=start + 1)
        self._bar = tqdm(
            total=steps,
            initial=start,
            desc='train',
            unit='step',
            disable=None if progress else True,
        )

    def advance(self) -> None:
        """Move the progress bar by one step."""
        self._bar.update()

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Log `values` at `step`, if there are any."""
        if not values:
            return
        self._file.write(json.dumps({'step': step, **values}) + '\n')
        self._file.flush()
        for name, value in values.items():
            self._board.add_scalar(name, value, step)
        self._bar.set_postfix({name: f'{value:.4g}' for name, value in values.items()})

    def close(self) -> None:
        """Flush everything."""
        self._bar.close()
        self._board.close()
        self._file.close()


class NoLog:
    """Of a process that leaves the writing to another one."""

    def advance(self) -> None:
        """Do nothing."""

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


def read_metrics(run_dir: Path) -> list[dict[str, float]]:
    """Rows of a run's `metrics.jsonl`, each with `step`; a line cut off by a crash is skipped."""
    path = run_dir / METRICS
    rows = []
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            rows.append(json.loads(line))
        except ValueError:
            continue
    return rows


class Means:
    """Means of named numbers since they were last taken; on a GPU, nothing waits until then."""

    def __init__(
        self, pending: Mapping[str, list[float]] | None = None, device: torch.device | None = None
    ) -> None:
        """Go on with what `pending` of an earlier run held, on `device`."""
        self._values: dict[str, list[Tensor]] = {
            name: [torch.tensor(value, device=device) for value in many]
            for name, many in (pending or {}).items()
        }

    def add(self, values: Mapping[str, Tensor]) -> None:
        """Count scalars in."""
        for name, value in values.items():
            self._values.setdefault(name, []).append(value)

    @property
    def pending(self) -> dict[str, list[float]]:
        """What was added since, for a checkpoint."""
        return {name: torch.stack(many).tolist() for name, many in self._values.items()}

    def take(self) -> dict[str, float]:
        """Return the means and begin anew."""
        means = {name: float(torch.stack(many).mean()) for name, many in self._values.items()}
        self._values.clear()
        return means


@contextmanager
def interruptible() -> Iterator[threading.Event]:
    """Give an event that the first Ctrl-C sets; a second one interrupts as usual."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return

    def on_signal(number: int, frame: FrameType | None) -> None:
        asked.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = signal.signal(signal.SIGINT, on_signal)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)


class Stopwatch:
    """Seconds spent, over all resumptions."""

    def __init__(self, already: float) -> None:
        self._start = time.monotonic() - already

    @property
    def seconds(self) -> float:
        """Time since the first start, without the breaks [s]."""
        return time.monotonic() - self._start
