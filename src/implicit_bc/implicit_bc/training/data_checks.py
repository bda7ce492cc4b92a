"""What cannot be trained on is named before training begins; what is odd but usable is logged."""

import logging

import numpy as np

from ibc_contract.errors import IbcError
from implicit_bc.normalization import constant_dimensions
from implicit_bc.spaces import Spaces
from implicit_bc.training.data import TrainingData, require_finite

LIMIT_TOLERANCE = 1e-6
"""Excess over an action limit that is rounding, as a fraction of the limits' width."""

log = logging.getLogger(__name__)


def require_usable(data: TrainingData) -> None:
    """Check shapes, that all numbers are finite, and that actions keep to their limits.

    Dimensions that are constant are no error: `Scaling` leaves them unscaled and gives a constant
    action a narrow box around its value (`ActionBounds.of_data`). That is logged, since it is often
    a mistake.

    Raises:
        IbcError: Names what is wrong and the first row where it is.
    """
    _require_shapes(data)
    require_finite('observations', data.observations)
    require_finite('actions', data.actions)
    _require_within_limits(data)
    if data.observations.dtype != np.uint8:
        _log_constant('observation', data.observations)
    _log_constant('action', data.actions)


def require_batch(spaces: Spaces, observation: np.ndarray, action: np.ndarray) -> None:
    """Raise IbcError if a batch does not have the shapes of `spaces`, or is not finite.

    Broadcasting would accept many a wrong shape, and learn something else from it. Where a GPU
    holds all data, there is nothing to check anew: batches are rows of what `require_usable` saw.
    """
    count = len(action)
    expected = (count, *spaces.observation), (count, spaces.action)
    if (observation.shape, action.shape) != expected:
        raise IbcError(
            f'a batch holds observations {observation.shape} and actions {action.shape}, the model '
            f'takes {expected[0]} and {expected[1]}: check what gives the batches'
        )
    require_finite('observations of a batch', observation)
    require_finite('actions of a batch', action)


def _require_shapes(data: TrainingData) -> None:
    observations, actions = data.observations, data.actions
    if actions.ndim != 2 or 0 in actions.shape:
        raise IbcError(f'actions have shape {actions.shape}: one row of numbers per step is needed')
    if actions.dtype != np.float32:
        raise IbcError(f'actions are {actions.dtype}: float32 is needed')
    images = observations.ndim == 4 and observations.shape[3] == 3
    if 0 in observations.shape or not (images or observations.ndim == 2):
        raise IbcError(
            f'observations have shape {observations.shape}: states (K, D) or RGB images '
            '(K, h, w, 3) are needed'
        )
    if observations.dtype != (np.uint8 if images else np.float32):
        raise IbcError(
            f'observations {observations.shape} are {observations.dtype}: images must be uint8, '
            'states float32'
        )
    spaces = data.spaces  # only now: what is not of these shapes may not even have spaces
    made = (spaces.observation, spaces.action)
    held = ((data.index.shape[1], *observations.shape[1:]), actions.shape[1])
    if made != held or len(data.index) != len(actions):
        raise IbcError(
            f'{len(actions)} actions and {len(data.index)} rows of index hold observations and '
            f'actions of {held}, the data is said to be of {made}: check how it was made'
        )


def _require_within_limits(data: TrainingData) -> None:
    low, high = data.action_limits
    slack = LIMIT_TOLERANCE * (high - low) if np.isfinite(high - low) else 0.0
    inside = (data.actions >= low - slack) & (data.actions <= high + slack)
    outside = np.flatnonzero(~inside.all(axis=1))
    if outside.size:
        row = int(outside[0])
        raise IbcError(
            f'action {data.actions[row].tolist()} (row {row}, one of {outside.size}) lies outside '
            f'the limits {low:g} .. {high:g}: correct these rows or leave them out'
        )


def _log_constant(name: str, rows: np.ndarray) -> None:
    constant = np.flatnonzero(constant_dimensions(rows))
    if constant.size:
        values = ', '.join(f'{i} ({rows[0, i]:g})' for i in constant)
        log.info('constant in the data, left unscaled: %s dimensions %s', name, values)
