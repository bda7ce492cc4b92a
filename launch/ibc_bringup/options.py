"""Rules of the command line: errors of one line, numbers within a range, names listed by --help."""

import argparse
import math
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from ibc_contract.errors import IbcError

Names = Callable[[], Sequence[str]]


class OneOf(argparse.Action):
    """Stores one of `names()`; they are looked up for --help only, since that imports much."""

    def __init__(self, *args: Any, names: Names, help: str, **options: Any) -> None:
        super().__init__(*args, help=help, **options)
        self._names: Names | None = names

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """Store the word as it is: who uses it knows whether it is one of the names."""
        setattr(namespace, self.dest, values)

    def list_names(self) -> None:
        """Add the names to the help."""
        if self._names is not None:
            self.help = f'{self.help}; one of {", ".join(self._names())}'
            self._names = None


class Parser(argparse.ArgumentParser):
    """Says in one line what is wrong with an argument, and lists the names of `OneOf`."""

    def error(self, message: str) -> NoReturn:
        """End with exit code 2."""
        self.exit(2, f'error: {message}; see {self.prog} --help\n')

    def format_help(self) -> str:
        """Write the help."""
        for action in self._actions:
            if isinstance(action, OneOf):
                action.list_names()
        return super().format_help()


def add_hand_options(parser: argparse.ArgumentParser) -> None:
    """Add what the hand of the scripted demonstrator is like."""
    parser.add_argument(
        '--noise',
        type=number(0, 1),
        metavar='X',
        help='noise of the demonstrator, 0 to 1 (0)',
    )
    parser.add_argument(
        '--multimodal',
        action='store_true',
        help='the demonstrator passes obstacles on either side, not on the nearest',
    )


def add_set_option(parser: argparse.ArgumentParser, example: str) -> None:
    """Add the option that `overrides_of` reads."""
    parser.add_argument(
        '--set',
        dest='overrides',
        action='append',
        default=[],
        metavar='KEY=VALUE',
        help=f'replace one field of the preset, such as {example}',
    )


def overrides_of(words: Sequence[str]) -> dict[str, Any]:
    """Dotted names of fields and their new values, from KEY=VALUE with a value in YAML.

    Raises:
        IbcError: One is not of that form.
    """
    import yaml

    overrides: dict[str, Any] = {}
    for word in words:
        key, separator, text = word.partition('=')
        if not separator:
            raise IbcError(f'--set {word} is not of the form key=value')
        try:
            overrides[key] = yaml.safe_load(text)
        except yaml.YAMLError as error:
            reason = ' '.join(str(error).split())
            raise IbcError(f'--set {word}: the value is not YAML: {reason}') from None
    return overrides


def whole(minimum: int, maximum: int = 2**31 - 1) -> Callable[[str], int]:
    """Return a type of arguments: whole numbers within these bounds."""

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = minimum - 1
        if not minimum <= value <= maximum:
            raise argparse.ArgumentTypeError(
                f'{text!r} is not a whole number from {minimum} to {maximum}'
            )
        return value

    return parse


def number(minimum: float, maximum: float) -> Callable[[str], float]:
    """Return a type of arguments: numbers within these bounds."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not minimum <= value <= maximum:
            raise argparse.ArgumentTypeError(
                f'{text!r} is not a number from {minimum:g} to {maximum:g}'
            )
        return value

    return parse


def add_touch_options(parser: argparse.ArgumentParser) -> None:
    """Add what every command takes that has a person touch places with the arm's tool."""
    parser.add_argument(
        '--control-port',
        type=whole(1, 65535),
        default=502,
        metavar='N',
        help='of the arm (%(default)s)',
    )
    parser.add_argument(
        '--pin-mm',
        type=number(0, 200),
        default=0.0,
        metavar='MM',
        help='with --robot-ip: a pin in the middle of the tool reaches so far below it '
        '(%(default)g)',
    )
    parser.add_argument(
        '--free',
        action='store_true',
        help="with --robot-ip: the controller's manual mode while it runs, so that hands can move "
        'the arm; needs no UFACTORY Studio, and no stack may run',
    )
