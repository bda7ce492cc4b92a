"""Arguments of a stack: declared once, read from `name:=value` or by a launch file."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ibc_contract.errors import IbcError

Value = str | bool | int | float
Values = Mapping[str, Value]


@dataclass(frozen=True)
class Argument:
    """One `name:=value` of a stack.

    `default` None means that there is none: unless the argument is `required`, a stack asks for the
    value only if something that it starts needs it. A default that depends on other arguments is a
    function of those declared before it. The type of the value is `kind`; a number lies in `span`.
    """

    name: str
    help: str
    default: Value | Callable[[Values], Value | None] | None = None
    choices: Callable[[], Sequence[str]] | None = None
    kind: type[str] | type[bool] | type[int] | type[float] = str
    required: bool = False
    span: tuple[float, float] | None = None

    @property
    def default_text(self) -> str:
        """The default as a person would type it; empty when there is none or it depends."""
        if self.default is None or callable(self.default):
            return ''
        return as_text(self.default)

    def parse(self, text: str) -> Value:
        """Turn what was typed into a value; IbcError says what would have been accepted."""
        if self.choices is not None and text not in self.choices():
            raise IbcError(
                f'{self.name}:={text} is not known; choose from {", ".join(self.choices())}'
            )
        if self.kind is bool:
            if text.lower() not in ('true', 'false'):
                raise IbcError(f'{self.name}:={text} must be true or false')
            return text.lower() == 'true'
        try:
            value = self.kind(text)
        except ValueError:
            raise IbcError(f'{self.name}:={text} must be a number ({self.kind.__name__})') from None
        if self.span is not None and not self.span[0] <= float(value) <= self.span[1]:
            raise IbcError(f'{self.name}:={text} must be {self.span[0]:.10g}..{self.span[1]:.10g}')
        return value


def as_text(value: Value) -> str:
    """Write a value the way `name:=value` takes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def missing(argument: Argument, owner: str) -> IbcError:
    """Return the error that asks for an argument."""
    return IbcError(f'{owner} needs {argument.name}:=VALUE ({argument.help})')


def parse_assignments(words: Sequence[str]) -> dict[str, str]:
    """Split `name:=value` words; IbcError shows the form for anything else."""
    pairs = {}
    for word in words:
        name, separator, text = word.partition(':=')
        if not separator or not name:
            raise IbcError(f'{word!r} is not of the form name:=value')
        pairs[name] = text
    return pairs


def resolve(
    arguments: Sequence[Argument], given: Mapping[str, str], owner: str
) -> dict[str, Value]:
    """Give every argument of `owner` a value: as typed, or its default.

    An argument without either is left out; an empty text counts as not given, because launch has no
    other way to say so.

    Raises:
        IbcError: A name that `owner` does not know, a value outside its choices or type, or no
            value for a required argument.
    """
    known = [argument.name for argument in arguments]
    for name in given:
        if name not in known:
            raise IbcError(f'{owner} has no argument {name!r}; known: {", ".join(known)}')
    values: dict[str, Value] = {}
    for argument in arguments:
        text = given.get(argument.name, '')
        default = argument.default
        if argument.required and not text:
            raise missing(argument, owner)
        value = argument.parse(text) if text else default(values) if callable(default) else default
        if value is not None:
            values[argument.name] = value
    return values
