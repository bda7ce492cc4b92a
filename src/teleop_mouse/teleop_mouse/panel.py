"""The bar under the image: state, keys, last message."""

from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby

import cv2
import numpy as np

from teleop_mouse.keys import ACTIONS, KEYS, Key
from teleop_mouse.overlay import (
    AMBER,
    DARK,
    FONT,
    GREEN,
    GREY,
    RED,
    WHITE,
    Colour,
    Image,
    fit_text,
    text_scale,
)

CAP_FACE: Colour = (74, 66, 62)
STOP_FACE: Colour = (48, 44, 176)
FAINT: Colour = (92, 86, 82)


@dataclass(frozen=True)
class Field:
    """One item of the state row."""

    name: str
    text: str
    colour: Colour = WHITE
    lamp: bool = False
    """Show a filled dot before the text."""
    share: int = 1
    """Its part of the row's width, relative to the others."""


@dataclass(frozen=True)
class Message:
    """The outcome of the last key."""

    text: str = ''
    failed: bool = False
    colour: Colour = GREEN


def draw_panel(
    width: int, fields: tuple[Field, ...], message: Message, offered: frozenset[str] = ACTIONS
) -> Image:
    """Return the bar, (height, `width`, 3) uint8 BGR; its height depends on `width` alone.

    Keys whose action is not `offered` are faint.
    """
    keys = _key_rows(width, offered)
    row = _row_height(width)
    panel = np.full((panel_height(width), width, 3), DARK, np.uint8)
    _draw_fields(panel, fields, width, row)
    panel[row : row + keys.shape[0]] = keys
    text_y = row + keys.shape[0] + round(0.62 * row)
    colour = RED if message.failed else message.colour
    scale = text_scale(width)
    weight = 2 if message.failed else 1
    text = fit_text(message.text, scale, weight, width - 2 * _margin(width))
    _text(panel, text, (_margin(width), text_y), scale, colour, weight)
    return panel


def panel_height(width: int) -> int:
    """Return the height of a bar of this width [px]."""
    row = _row_height(width)
    return 2 * row + _key_rows(width, ACTIONS).shape[0] + row // 3


def _draw_fields(panel: Image, fields: tuple[Field, ...], width: int, row: int) -> None:
    scale = text_scale(width)
    column = (width - 2 * _margin(width)) // max(1, sum(field.share for field in fields))
    baseline = round(0.68 * row)
    right = _margin(width)
    for field in fields:
        x, right = right, right + field.share * column
        x += _text(panel, f'{field.name} ', (x, baseline), scale, GREY) + round(8 * scale)
        if field.lamp:
            radius = round(9 * scale)
            centre = (x + radius, baseline - round(9 * scale))
            cv2.circle(panel, centre, radius, field.colour, -1, cv2.LINE_AA)
            x += 2 * radius + round(10 * scale)
        weight = 2 if field.lamp else 1
        text = fit_text(field.text, scale, weight, right - round(10 * scale) - x)
        _text(panel, text, (x, baseline), scale, field.colour, weight)
    cv2.line(panel, (0, row), (width, row), CAP_FACE, 1)


@lru_cache(maxsize=4)
def _key_rows(width: int, offered: frozenset[str]) -> Image:
    """Draw all key caps with their labels, wrapped to `width`; the same in nearly every frame."""
    scale, row, margin = text_scale(width), _row_height(width), _margin(width)
    places: list[tuple[Key, int, int]] = []
    x, y = margin, 0
    for _, group in groupby(KEYS, lambda key: key.group):
        keys = list(group)
        if x + sum(_key_length(key, scale) for key in keys) > width:
            x, y = margin, y + row
        for key in keys:
            places.append((key, x, y))
            x += _key_length(key, scale)
        x += round(22 * scale)
    rows = np.full((y + row + row // 3, width, 3), DARK, np.uint8)
    for key, left, top in places:
        _draw_key(rows, key, key.action in offered, left, top + row // 6, scale, row)
    return rows


def _key_length(key: Key, scale: float) -> int:
    cap, label = _text_width(key.cap, scale), _text_width(key.label, scale)
    return cap + label + round(58 * scale)


def _draw_key(rows: Image, key: Key, offered: bool, x: int, y: int, scale: float, row: int) -> None:
    baseline = y + round(0.66 * row)
    pad = round(12 * scale)
    right = x + _text_width(key.cap, scale) + 2 * pad
    danger = key.group == 'stop' and key.cap == 'X'
    face = STOP_FACE if danger else CAP_FACE
    cap, label = WHITE, AMBER if danger else GREY
    if not offered:
        face, cap, label = DARK, FAINT, FAINT
    top, bottom = y + round(0.12 * row), y + round(0.9 * row)
    cv2.rectangle(rows, (x, top), (right, bottom), face, -1, cv2.LINE_AA)
    cv2.line(rows, (x, bottom), (right, bottom), (20, 18, 16), 2)
    _text(rows, key.cap, (x + pad, baseline), scale, cap)
    _text(rows, key.label, (right + round(0.9 * pad), baseline), scale, label)


def _text(
    image: Image,
    text: str,
    origin: tuple[int, int],
    scale: float,
    colour: Colour,
    thickness: int = 1,
) -> int:
    """Draw `text` with its baseline at `origin`; return its width [px]."""
    cv2.putText(image, text, origin, FONT, scale, colour, thickness, cv2.LINE_AA)
    return _text_width(text, scale, thickness)


def _text_width(text: str, scale: float, thickness: int = 1) -> int:
    return cv2.getTextSize(text, FONT, scale, thickness)[0][0]


def _row_height(width: int) -> int:
    return round(62 * text_scale(width))


def _margin(width: int) -> int:
    return round(26 * text_scale(width))
