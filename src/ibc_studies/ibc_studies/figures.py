"""Figures of the studies."""

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from ibc_studies.comparison import Row
from ibc_studies.coordinates import SPAN, hull
from ibc_studies.coordinates_study import CoordinateRow, Found
from ibc_studies.functions_study import Answers

COLORS = {
    'derivative_free': '#08519c',
    'autoregressive': '#3182bd',
    'langevin': '#0e7c86',
    'ranking': '#006d2c',
    'mean_squared_error': '#d94801',
    'mixture_density': '#54278f',
}
"""A policy of another name is grey."""
_GREY = '#737373'
_ERROR_SCALE, _ERROR_COLORS = LogNorm(0.1, 30.0), 'viridis'


def draw_functions(answers: Sequence[Answers], path: Path) -> None:
    """Draw what each model says, one column per function, one row per policy (Figs 2 and 3)."""
    functions = list(dict.fromkeys(a.row.function for a in answers))
    policies = list(dict.fromkeys(a.row.policy for a in answers))
    figure = Figure(figsize=(2.3 * len(functions), 2.1 * len(policies)), layout='constrained')
    panels = figure.subplots(len(policies), len(functions), sharex=True, sharey=True, squeeze=False)
    for answer in answers:
        row = policies.index(answer.row.policy)
        column = functions.index(answer.row.function)
        axes = panels[row, column]
        axes.axvspan(0.0, 1.0, color='#f2f2f2', zorder=0)
        axes.scatter(answer.samples_x, answer.samples_y, s=5, color='#969696', linewidths=0)
        color = COLORS.get(answer.row.policy, _GREY)
        axes.scatter(answer.x, answer.y, s=1.5, color=color, linewidths=0)
        axes.set_ylim(-0.3, 1.3)
        axes.spines[['top', 'right']].set_visible(False)
        if row == 0:
            axes.set_title(answer.row.function, fontsize=9)
        if column == 0:
            axes.set_ylabel(answer.row.policy.replace('_', ' '), fontsize=9)
    _save(figure, path)


def draw_success(rows: Sequence[Row], paper: str, path: Path) -> None:
    """Draw success rates with their Wilson intervals."""
    figure = Figure(figsize=(6.4, 0.9 + 0.5 * len(rows)), layout='constrained')
    axes = figure.subplots()
    for place, row in enumerate(reversed(rows)):
        low, high = row.wilson95
        rate = row.success_rate
        error = [[max(0.0, rate - low)], [max(0.0, high - rate)]]
        axes.barh(place, rate, xerr=error, color=COLORS.get(row.policy, _GREY), height=0.6)
    axes.set_yticks(range(len(rows)), [row.policy.replace('_', ' ') for row in reversed(rows)])
    axes.set_xlim(0.0, 1.0)
    axes.set_xlabel('success')
    axes.set_title(textwrap.fill(f'paper: {paper}', 70), fontsize=8, loc='left')
    axes.spines[['top', 'right']].set_visible(False)
    _save(figure, path)


def draw_success_by_dims(by_dims: Mapping[int, Sequence[Row]], paper: str, path: Path) -> None:
    """Draw success rates over the number of dimensions (Fig. 6)."""
    figure = Figure(figsize=(5.6, 3.6), layout='constrained')
    axes = figure.subplots()
    dims = list(by_dims)
    for policy in dict.fromkeys(row.policy for rows in by_dims.values() for row in rows):
        own = [row for rows in by_dims.values() for row in rows if row.policy == policy]
        color, rate = COLORS.get(policy, _GREY), [row.success_rate for row in own]
        low, high = zip(*(row.wilson95 for row in own), strict=True)
        axes.plot(dims, rate, 'o-', color=color, label=policy.replace('_', ' '))
        axes.fill_between(dims, low, high, color=color, alpha=0.15, linewidth=0)
    axes.set_xscale('log', base=2)
    axes.set_xticks(dims, [str(count) for count in dims])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlabel('dimensions')
    axes.set_ylabel('success')
    axes.set_title(textwrap.fill(f'paper: {paper}', 70), fontsize=8, loc='left')
    axes.legend(frameon=False, fontsize=8)
    axes.spines[['top', 'right']].set_visible(False)
    _save(figure, path)


def draw_coordinates(rows: Sequence[CoordinateRow], shown: Sequence[Found], path: Path) -> None:
    """Draw errors by number of images (Fig. 4d), and where in the image they are (Fig. 4c)."""
    policies = list(dict.fromkeys(row.policy for row in rows))
    mapped = list(dict.fromkeys(row.images for row in rows))[:2]
    figure = Figure(figsize=(4.2 + 2.4 * len(mapped), 2.3 * len(policies)), layout='constrained')
    widths = (4.2, 2.4 * len(mapped))
    ((left, right),) = figure.subfigures(1, 2, squeeze=False, width_ratios=widths)
    _draw_errors(left.subplots(), rows, policies)
    maps = right.subplots(len(policies), len(mapped), squeeze=False)
    for i, policy in enumerate(policies):
        for j, count in enumerate(mapped):
            (found,) = (f for f in shown if (f.policy, len(f.trained.images)) == (policy, count))
            _draw_map(maps[i, j], found)
            maps[i, j].set_title(f'{policy.replace("_", " ")}\n{count} images', fontsize=8)
    right.colorbar(ScalarMappable(_ERROR_SCALE, _ERROR_COLORS), ax=maps, label='error [px]')
    _save(figure, path)


def _draw_errors(axes: Axes, rows: Sequence[CoordinateRow], policies: Sequence[str]) -> None:
    for policy in policies:
        own = [row for row in rows if row.policy == policy]
        axes.loglog(
            [row.images for row in own],
            [row.error for row in own],
            'o-',
            color=COLORS.get(policy, _GREY),
            label=policy.replace('_', ' '),
        )
    counts = sorted({row.images for row in rows})
    axes.set_xticks(counts, [str(count) for count in counts])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel('training images')
    axes.set_ylabel('mean squared distance, test [px²]')
    axes.legend(frameon=False, fontsize=8)
    axes.spines[['top', 'right']].set_visible(False)


def _draw_map(axes: Axes, found: Found) -> None:
    u, v = SPAN * found.test.coordinates.T
    axes.scatter(u, v, c=found.distance, s=6, norm=_ERROR_SCALE, cmap=_ERROR_COLORS, linewidths=0)
    corners = SPAN * hull(found.trained.coordinates)
    axes.fill(*corners.T, fill=False, edgecolor='#737373', linestyle=':')
    axes.scatter(*(SPAN * found.trained.coordinates.T), c='#d7301f', s=14, marker='x')
    axes.set_aspect('equal')
    axes.invert_yaxis()
    axes.set_xticks([])
    axes.set_yticks([])


def _save(figure: Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
