"""A private X server with a mouse and a keyboard for each test that needs them."""

from collections.abc import Iterator

import pytest

from desktop import Desktop, private_desktop

SMALL_SCREEN = '1366x768'


@pytest.fixture
def desktop() -> Iterator[Desktop]:
    with private_desktop() as desktop:
        yield desktop


@pytest.fixture
def small_desktop() -> Iterator[Desktop]:
    with private_desktop(SMALL_SCREEN) as desktop:
        yield desktop
