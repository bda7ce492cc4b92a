"""The ChArUco board on a sheet of paper, to scale."""

from pathlib import Path

from matplotlib.figure import Figure

from ibc_contract.errors import IbcError
from realsense_capture.calibration.charuco import CharucoBoard

A4_LANDSCAPE = (0.297, 0.210)
MARGIN = 0.01
"""White around the board; printers leave out the outermost millimetres [m]."""
SQUARE_PX = 120
GAP_PX = 6
INCH = 0.0254
SUFFIXES = ('.pdf', '.svg', '.png')


def page_size(board: CharucoBoard) -> tuple[float, float]:
    """Return width and height of the sheet [m]: A4, or as large as the board needs."""
    width, height = board.columns * board.square, board.rows * board.square
    if width <= A4_LANDSCAPE[0] and height <= A4_LANDSCAPE[1]:
        return A4_LANDSCAPE
    return width + 2 * MARGIN, height + 2 * MARGIN


def print_board(board: CharucoBoard, path: Path, dpi: int = 300) -> None:
    """Write the board to a file that prints to scale; `dpi` is that of a .png.

    The letters A to D beside it name the corners to touch: each the first crossing at its height.
    """
    if path.suffix not in SUFFIXES:
        raise IbcError(f'{path}: the board is written as {", ".join(SUFFIXES)}')
    page, size = page_size(board), (board.columns * board.square, board.rows * board.square)
    figure = Figure(figsize=(page[0] / INCH, page[1] / INCH))
    share = (size[0] / page[0], size[1] / page[1])
    axes = figure.add_axes(((1 - share[0]) / 2, (1 - share[1]) / 2, *share))
    axes.set_axis_off()
    picture = board.draw(SQUARE_PX)
    axes.imshow(picture, cmap='gray', vmin=0, vmax=255, aspect='auto', interpolation='none')
    for letter, corner in zip('ABCD', board.outer_ids, strict=True):
        left = letter in 'AD'
        x = -GAP_PX if left else board.columns * SQUARE_PX + GAP_PX
        y = -board.corners[corner, 1] / board.square * SQUARE_PX
        side = 'right' if left else 'left'
        axes.text(x, y, letter, fontsize=12, horizontalalignment=side, verticalalignment='center')
    figure.savefig(path, dpi=dpi)
