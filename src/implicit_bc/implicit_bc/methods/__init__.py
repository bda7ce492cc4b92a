"""How a policy is learned and how it decides: one file per method of the paper."""

from typing import Annotated, Any

from pydantic import Discriminator, Tag

from implicit_bc.methods.derivative_free import DerivativeFree
from implicit_bc.methods.mean_squared_error import MeanSquaredError
from implicit_bc.methods.method import Decisions, ImplicitModel, Model
from implicit_bc.methods.mixture_density import MixtureDensity

DEFAULT = 'derivative_free'


def _kind(method: Any) -> str:
    return method.get('kind', DEFAULT) if isinstance(method, dict) else method.kind


Method = Annotated[
    Annotated[DerivativeFree, Tag('derivative_free')]
    | Annotated[MeanSquaredError, Tag('mean_squared_error')]
    | Annotated[MixtureDensity, Tag('mixture_density')],
    Discriminator(
        _kind,
        custom_error_type='unknown_method',
        custom_error_message='unknown kind; known: derivative_free, mean_squared_error, '
        'mixture_density',
    ),
]
"""Constants of a method; `kind` in YAML says of which one."""

__all__ = [
    'Decisions',
    'DerivativeFree',
    'ImplicitModel',
    'MeanSquaredError',
    'Method',
    'MixtureDensity',
    'Model',
]
