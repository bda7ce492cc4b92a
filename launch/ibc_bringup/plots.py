"""Figures of the reports, as SVG text."""

import io
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

SMOOTHING = 0.05
"""Width of the moving average, as a fraction of the curve."""
VALIDATION = '#d1570b'


def training_curves(
    rows: Sequence[Mapping[str, float]], loss_name: str, chance: float | None = None
) -> str:
    """Draw the rows of a run's metrics: losses, and below them the error of the action.

    What was never validated has no curve; `chance` is the loss of guessing.
    """
    validated = bool(_series(rows, 'validation/action_error_mm')[0])
    figure = Figure(figsize=(7.0, 4.6 if validated else 2.9), layout='constrained')
    panels = figure.subplots(
        1 + validated, sharex=True, squeeze=False, height_ratios=(3, 2)[: 1 + validated]
    )[:, 0]
    _draw_losses(panels[0], rows, chance)
    panels[0].set_ylabel(loss_name)
    if validated:
        for name, style, label in (
            ('validation/action_error_mm', 'o-', 'mean'),
            ('validation/action_error_median_mm', 'o--', 'median'),
        ):
            panels[1].plot(
                *_series(rows, name), style, color=VALIDATION, markersize=3, linewidth=1.2,
                label=label,
            )  # fmt: skip
        panels[1].set_ylabel('action error [mm]')
    panels[-1].set_xlabel('training step')
    for axes in panels:
        axes.set_xlim(left=0.0)
        bottom, top = min(0.0, axes.get_ylim()[0]), axes.get_ylim()[1]
        axes.set_ylim(bottom, top + 0.05 * (top - bottom))
        axes.grid(axis='y', color='#eaeef2')
        axes.legend(frameon=False)
        axes.spines[['top', 'right']].set_visible(False)
    return _svg(figure)


def _draw_losses(axes: Axes, rows: Sequence[Mapping[str, float]], chance: float | None) -> None:
    steps, losses = _series(rows, 'loss')
    axes.plot(steps, losses, color='#9ecae1', linewidth=0.8, label='training')
    width = max(1, int(SMOOTHING * len(losses)))
    if width > 1:
        mean = np.convolve(losses, np.ones(width) / width, mode='valid')
        axes.plot(
            steps[width - 1 :], mean, color='#08519c', linewidth=1.5, label='training, smoothed'
        )
    held_out = _series(rows, 'validation/loss')
    if held_out[0]:
        axes.plot(
            *held_out, 'o-', color=VALIDATION, markersize=3, linewidth=1.2, label='validation'
        )
    if chance is not None:
        axes.axhline(chance, color='#6e7781', linestyle='--', linewidth=0.8, label='guessing')


def _series(rows: Sequence[Mapping[str, float]], name: str) -> tuple[list[float], list[float]]:
    """Steps and values of one metric."""
    found = [(row['step'], row[name]) for row in rows if name in row]
    return [step for step, _ in found], [value for _, value in found]


def success_bars(rows: Sequence[tuple[str, float, float, float]]) -> str:
    """Draw success rates with their intervals: (label, rate, low, high); the first is stressed."""
    figure = Figure(figsize=(7.0, 0.5 + 0.42 * len(rows)), layout='constrained')
    axes = figure.subplots()
    labels = [row[0] for row in rows][::-1]
    rates = np.array([row[1] for row in rows][::-1])
    low = rates - np.array([row[2] for row in rows][::-1])
    high = np.array([row[3] for row in rows][::-1]) - rates
    errors = np.clip(np.stack([low, high]), 0.0, None)
    # The first row is what it is about, the others are there to compare.
    colours = ['#c6ccd2'] * (len(rows) - 1) + ['#2f81f7']
    axes.barh(labels, rates, color=colours, height=0.6)
    axes.errorbar(
        rates, range(len(rates)), xerr=errors, fmt='o', color='#333333', markersize=4, capsize=3,
        clip_on=False, zorder=3,
    )  # fmt: skip
    axes.set_xlim(0.0, 1.0)
    axes.tick_params(axis='y', length=0, pad=8)
    axes.set_xlabel('success rate with Wilson 95 % interval')
    axes.spines[['top', 'right']].set_visible(False)
    return _svg(figure)


def _svg(figure: Figure) -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format='svg')
    return buffer.getvalue()[buffer.getvalue().index('<svg') :]
