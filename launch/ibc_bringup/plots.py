"""Figures of the reports, as SVG text."""

import io
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

SMOOTHING = 0.05
"""Width of the moving average, as a fraction of the curve."""


def loss_curve(steps: Sequence[int], losses: Sequence[float], chance: float | None = None) -> str:
    """Draw the training loss and its moving average; `chance` is what guessing would score."""
    figure = Figure(figsize=(7.0, 2.8), layout='constrained')
    axes = figure.subplots()
    axes.plot(steps, losses, color='#9ecae1', linewidth=0.8, label='loss')
    width = max(1, int(SMOOTHING * len(losses)))
    if len(losses) >= 2 * width:
        mean = np.convolve(losses, np.ones(width) / width, mode='valid')
        axes.plot(steps[width - 1 :], mean, color='#08519c', linewidth=1.5, label='moving average')
    if chance is not None:
        axes.axhline(chance, color='#999999', linestyle='--', linewidth=0.8, label='guessing')
    axes.set_xlabel('step')
    axes.set_ylabel('InfoNCE loss')
    axes.legend(frameon=False)
    axes.spines[['top', 'right']].set_visible(False)
    return _svg(figure)


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
    axes.errorbar(rates, range(len(rates)), xerr=errors, fmt='none', ecolor='#333333', capsize=3)
    axes.set_xlim(0.0, 1.0)
    axes.set_xlabel('success rate with Wilson 95 % interval')
    axes.spines[['top', 'right']].set_visible(False)
    return _svg(figure)


def _svg(figure: Figure) -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format='svg')
    return buffer.getvalue()[buffer.getvalue().index('<svg') :]
