import pytest

from ibc_bringup.arguments import Argument, parse_assignments, resolve
from ibc_contract.errors import IbcError

SIZE = Argument('size', 'how large', default=3, kind=int, span=(1, 10))
FLAG = Argument('flag', 'on or off', default=False, kind=bool)
COLOUR = Argument('colour', 'which', default='red', choices=lambda: ('red', 'green'))
NEEDED = Argument('needed', 'without default')
DOUBLE = Argument('double', 'twice the size', lambda v: 2 * int(v['size']), kind=int)


def test_defaults_fill_what_was_not_typed():
    values = resolve((SIZE, FLAG, COLOUR, NEEDED, DOUBLE), {'size': '4'}, 'stack')
    assert values == {'size': 4, 'flag': False, 'colour': 'red', 'double': 8}


def test_empty_text_means_not_given():
    assert resolve((SIZE, NEEDED), {'size': '', 'needed': ''}, 'stack') == {'size': 3}


@pytest.mark.parametrize(
    ('given', 'expected'),
    [
        ({'size': 'many'}, 'size:=many must be a number'),
        ({'flag': 'yes'}, 'flag:=yes must be true or false'),
        ({'size': '11'}, r'size:=11 must be 1\.\.10'),
        ({'colour': 'blue'}, 'choose from red, green'),
        ({'colr': 'red'}, "stack has no argument 'colr'; known: size, flag, colour"),
    ],
)
def test_a_wrong_word_is_named_with_what_would_do(given, expected):
    with pytest.raises(IbcError, match=expected):
        resolve((SIZE, FLAG, COLOUR), given, 'stack')


def test_assignments():
    assert parse_assignments(['a:=1', 'b:=x:=y', 'c:=']) == {'a': '1', 'b': 'x:=y', 'c': ''}
    with pytest.raises(IbcError, match='name:=value'):
        parse_assignments(['a=1'])
