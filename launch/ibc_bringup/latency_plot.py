"""The step responses of `ibc calibrate latency` as a picture."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ibc_bringup.latency import StepTest, Vector
from ibc_bringup.step_response import Lag, Signal

SHOWN = (-0.1, 0.9)
"""Time around a command that is drawn [s]."""
COMMAND, SETPOINT, TOOL, PICTURE = '#6e7781', '#08519c', '#2f81f7', '#d1570b'


def draw_steps(test: StepTest, path: Path) -> None:
    """Draw every step over the time since its command into a PNG file."""
    recording = test.recording
    figure = Figure(figsize=(7.0, 3.6), dpi=150, layout='constrained')
    axes = figure.subplots()
    ramp_ms = 1e3 * recording.ramp_s
    axes.plot((-100, 0, ramp_ms, 900), (0, 0, 1, 1), '--', color=COMMAND, label='commanded')
    for signal, label, colour, style in (
        (recording.setpoint, f'setpoint: {_ms(test.setpoint)} later', SETPOINT, '-'),
        (recording.tool, f'measured tool: {_ms(test.arm)} after the setpoint', TOOL, '-'),
        (test.picture, f'seen in a picture: {_ms(test.loop)} later', PICTURE, '.'),
    ):
        _draw(axes, signal, recording.commands, label, colour, style)
    axes.set_xlim(1e3 * SHOWN[0], 1e3 * SHOWN[1])
    axes.set_ylim(-0.2, 1.25)
    axes.set_xlabel('time since the command [ms]')
    axes.set_ylabel('share of the step')
    axes.grid(color='#eaeef2')
    axes.spines[['top', 'right']].set_visible(False)
    axes.legend(frameon=False, loc='lower right', fontsize='small')
    figure.savefig(path)


def _draw(
    axes: Axes, signal: Signal, commands: Vector, label: str, colour: str, style: str
) -> None:
    low, high = np.quantile(signal.values, (0.2, 0.8))
    for number, command in enumerate(commands[:-1]):
        part = signal.between(command + SHOWN[0], command + SHOWN[1])
        share = (part.values - low) / (high - low)
        axes.plot(
            1e3 * (part.times - command), 1 - share if number % 2 else share, style,
            color=colour, alpha=0.5, linewidth=0.8, markersize=4,
            label='' if number else label,
        )  # fmt: skip


def _ms(lag: Lag) -> str:
    return f'{1e3 * lag.seconds:.0f} ms'
