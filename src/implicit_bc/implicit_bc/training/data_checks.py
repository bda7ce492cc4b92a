"""What cannot be trained on is named before training begins; what is odd but usable is logged."""

import logging

import numpy as np

from ibc_contract.errors import IbcError
from implicit_bc.normalization import MIN_SPREAD
from implicit_bc.spaces import Spaces
from implicit_bc.training.data import TrainingData, require_finite

LIMIT_TOLERANCE = 1e-6
"""Excess over an action limit that is rounding, as a fraction of the limits' width."""

log = logging.getLogger(__name__)


def require_usable(data: TrainingData) -> None:
    """Check shapes, that all numbers are finite, and that actions keep to their limits.

    Dimensions that are constant are no error: `Scaling` leaves them unscaled and gives a constant
    action a box of `MIN_SPREAD` around its value. That is logged, since it is often a mistake.

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
    """Raise IbcError if a batch does not have the shapes of `spaces`.

    Broadcasting would accept many a wrong shape, and learn something else from it.
    """
    count = len(action)
    expected = (count, *spaces.observation), (count, spaces.action)
    if (observation.shape, action.shape) != expected:
        raise IbcError(
            f'a batch holds observations {observation.shape} and actions {action.shape}, the model '
            f'takes {expected[0]} and {expected[1]}: check what gives the batches'
        )


def _require_shapes(data: TrainingData) -> None:
    observations, actions, spaces = data.observations, data.actions, data.spaces
    if actions.ndim != 2 or 0 in actions.shape:
        raise IbcError(f'actions have shape {actions.shape}: one row of numbers per step is needed')
    if len(observations) == 0 or observations.shape[1:] != spaces.observation[1:]:
        raise IbcError(
            f'observations have shape {observations.shape}: '
            f'rows of {spaces.observation[1:]} are needed'
        )
    expected = np.uint8 if spaces.has_images else np.float32
    if observations.dtype != expected:
        raise IbcError(
            f'observations {observations.shape} are {observations.dtype}: images must be uint8, '
            'states float32'
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
    constant = np.flatnonzero(rows.std(axis=0, dtype=np.float64) < MIN_SPREAD)
    if constant.size:
        values = ', '.join(f'{i} ({rows[0, i]:g})' for i in constant)
        log.info('constant in the data, left unscaled: %s dimensions %s', name, values)
