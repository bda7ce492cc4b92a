"""How a policy is learned and how it decides: one file per method of the paper."""

from typing import Annotated, Any

from pydantic import Discriminator, Tag

from implicit_bc.methods.autoregressive import Autoregressive
from implicit_bc.methods.derivative_free import DerivativeFree
from implicit_bc.methods.langevin import Langevin
from implicit_bc.methods.mean_squared_error import MeanSquaredError
from implicit_bc.methods.method import ImplicitModel, Model
from implicit_bc.methods.mixture_density import MixtureDensity
from implicit_bc.methods.ranking import Ranking


def _kind(method: Any) -> str:
    """`kind` of a method's constants; without one they are those of the paper's real robot."""
    return method.get('kind', 'derivative_free') if isinstance(method, dict) else method.kind


Method = Annotated[
    Annotated[DerivativeFree, Tag('derivative_free')]
    | Annotated[Autoregressive, Tag('autoregressive')]
    | Annotated[Langevin, Tag('langevin')]
    | Annotated[MeanSquaredError, Tag('mean_squared_error')]
    | Annotated[MixtureDensity, Tag('mixture_density')]
    | Annotated[Ranking, Tag('ranking')],
    Discriminator(
        _kind,
        custom_error_type='unknown_method',
        custom_error_message='unknown kind; known: derivative_free, autoregressive, langevin, '
        'mean_squared_error, mixture_density, ranking',
    ),
]
"""Constants of a method; `kind` in YAML says of which one."""

__all__ = [
    'Autoregressive',
    'DerivativeFree',
    'ImplicitModel',
    'Langevin',
    'MeanSquaredError',
    'Method',
    'MixtureDensity',
    'Model',
    'Ranking',
]
