import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibc_contract.contract import Contract, ImageObservation, load_contract
from ibc_contract.errors import ContractMismatch, IbcError


def test_shipped_contracts_have_the_documented_shapes():
    assert load_contract('planar_rgb').observation_shape == (2, 90, 120, 3)
    assert load_contract('planar_state').observation_shape == (2, 2 + 4 * 4)
    assert load_contract('planar_state_10').observation_shape == (2, 2 + 4 * 10)
    assert load_contract('planar_rgb').period_ns == 200_000_000
    assert load_contract('pushing_rgb').observation_shape == (2, 90, 120, 3)
    assert load_contract('pushing_rgb_240x180').observation_shape == (2, 180, 240, 3)


def test_hashes_are_stable_across_versions_of_the_code():
    # Every bag and model carries these: a change here orphans all recorded data.
    assert load_contract('planar_rgb').hash == '9be1106adfe0fa78'
    assert load_contract('planar_state').hash == '00e8990ab1ec28d6'


def test_unknown_contract_lists_the_known_ones():
    with pytest.raises(
        IbcError, match=r"unknown contract 'x'; known: planar_rgb, planar_state, .*"
    ):
        load_contract('x')


@pytest.mark.parametrize(
    'change',
    [
        {'name': 'other'},
        {'version': 2},
        {'period_s': 0.1},
        {'history': 3},
        {'max_delta_m': 0.05},
        {'observation': ImageObservation(120, 90, 0.3)},
    ],
)
def test_every_field_changes_the_hash(change):
    contract = load_contract('planar_rgb')
    assert dataclasses.replace(contract, **change).hash != contract.hash


@given(
    period=st.floats(1e-3, 10, allow_nan=False),
    history=st.integers(1, 9),
    width=st.integers(8, 4000),
)
def test_plain_data_brings_the_same_contract_back(period, history, width):
    contract = dataclasses.replace(
        load_contract('planar_rgb'),
        period_s=period,
        history=history,
        observation=ImageObservation(width, 90, 0.25),
    )
    again = Contract.from_dict(contract.to_dict())
    assert again == contract
    assert again.hash == contract.hash


def test_a_wrong_field_is_named():
    data = load_contract('planar_rgb').to_dict()
    with pytest.raises(IbcError, match="contract field 'period_s'"):
        Contract.from_dict({**data, 'period_s': -1})


def test_a_mismatch_names_both_sides():
    contract = load_contract('planar_rgb')
    contract.require_same(contract.hash, 'bag A', 'planar_rgb')
    with pytest.raises(ContractMismatch) as error:
        contract.require_same('0123', 'bag A', 'planar_state')
    assert 'bag A was made under contract planar_state (0123)' in str(error.value)
    assert f'this is planar_rgb ({contract.hash})' in str(error.value)
