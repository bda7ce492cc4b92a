"""One self-contained HTML page per run: tables, curves, video and configuration."""

import base64
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2


@dataclass(frozen=True)
class Table:
    """A table of text."""

    headers: Sequence[str]
    rows: Sequence[Sequence[str]]

    @property
    def numeric(self) -> list[bool]:
        """Tell of each column but the first, which names its row, whether it holds numbers only."""
        columns = list(zip(*self.rows, strict=True))[1:]
        return [False, *(all(map(_is_number, filter(None, column))) for column in columns)]

    def to_text(self) -> str:
        """Write the table for a terminal, columns aligned."""
        lines = [list(self.headers), *(list(row) for row in self.rows)]
        widths = [max(len(line[i]) for line in lines) for i in range(len(self.headers))]
        text = [
            '  '.join(f'{cell:<{width}}' for cell, width in zip(line, widths, strict=True)).rstrip()
            for line in lines
        ]
        return '\n'.join([text[0], '-' * len(text[0]), *text[1:]]) + '\n'


@dataclass(frozen=True)
class Section:
    """A part of the page; what is empty is left out."""

    title: str
    text: str = ''
    table: Table | None = None
    figure_svg: str = ''
    video: Path | None = None
    facts: Mapping[str, object] = field(default_factory=dict)

    @property
    def video_base64(self) -> str:
        """The MP4 file, as a data URL takes it."""
        return base64.b64encode(self.video.read_bytes()).decode() if self.video else ''


def _is_number(text: str) -> bool:
    return text.replace('.', '', 1).isdigit()


def success_text(result: Mapping[str, Any]) -> str:
    """Write a measured success rate with its interval."""
    low, high = result['wilson95']
    return f'{result["success_rate"]:.2f} [{low:.2f}, {high:.2f}]'


def duration_text(seconds: float) -> str:
    """Write a time for people."""
    return f'{seconds:.0f} s' if seconds < 90 else f'{seconds / 60:.1f} min'


@dataclass(frozen=True)
class Report:
    """The page, from top to bottom."""

    title: str
    about: Sequence[str]
    """When, how long, with which seeds: one line."""
    summary: str
    figures: Mapping[str, str]
    """What was measured -> the number to be seen first."""
    sections: Sequence[Section]
    remark: str = ''
    """What a reader must know before the numbers."""

    def write(self, path: Path) -> Path:
        """Write the page to `path` and return it."""
        template = (resources.files('ibc_bringup') / 'report.html').read_text()
        environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
        page = environment.from_string(template).render(vars(self))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page)
        return path


def date_text() -> str:
    """Write the present, for the line under a title."""
    return time.strftime('%Y-%m-%d %H:%M')
