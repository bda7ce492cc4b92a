"""What `ibc study` tells at its end: one JSON object, or lines for people."""

import argparse
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_STARTED = time.monotonic()


def tell(
    arguments: argparse.Namespace, folder: Path, result: Mapping[str, Any], lines: Sequence[str]
) -> int:
    """Keep the `result` of a study in its folder; print it, or `lines` for people."""
    facts = {'folder': str(folder), 'seeds': arguments.seeds, **_cost()}
    facts |= {'preset': arguments.preset, 'set': arguments.overrides}
    result = {**result, **facts}
    (folder / 'results.json').write_text(json.dumps(result, indent=1) + '\n')
    sys.stdout.write((json.dumps(result) if arguments.json else '\n'.join(lines)) + '\n')
    return 0


def _cost() -> dict[str, float]:
    """What this process and its workers have taken so far; CPU time tells more on shared cores."""
    times = os.times()
    cpu = times.user + times.system + times.children_user + times.children_system
    return {'elapsed_s': round(time.monotonic() - _STARTED, 1), 'cpu_s': round(cpu, 1)}


def table(rows: Sequence[Any]) -> list[str]:
    """Lines for people: a row (`ibc_studies.comparison.Row`) for each policy."""
    lines = [
        f'{"policy":<20} {"success":>8}  {"95 % interval":<14} {"episodes":>8} {"paper":>7} '
        f'{"train s":>8}'
    ]
    for row in rows:
        low, high = row.wilson95
        paper = '' if row.paper_rate is None else f'{row.paper_rate:.1%}'
        lines.append(
            f'{row.policy:<20} {row.success_rate:>8.1%}  [{low:.3f}, {high:.3f}] '
            f'{row.episodes:>8} {paper:>7} {row.seconds:>8.0f}'
        )
    return lines


def times(images: int, ratio: float) -> str:
    """Say how far the first policy's error is from the best other one's, `ratio` times it."""
    if ratio >= 1.0:
        return f'{images} images: {ratio:.3g} times below'
    return f'{images} images: {1 / ratio:.3g} times above'
