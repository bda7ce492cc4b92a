"""A tiny untrained bundle, and messages as the camera and the driver send them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from ibc_contract.contract import load_contract
from implicit_bc.bundle import save_bundle
from implicit_bc.methods import DerivativeFree
from implicit_bc.networks.conv_maxpool import ConvMaxPoolConfig
from implicit_bc.networks.energy import NetworkConfig
from implicit_bc.networks.mlp import ValueConfig
from implicit_bc.normalization import ActionBounds, Affine
from implicit_bc.samplers import DerivativeFreeConfig
from implicit_bc.scaling import Scaling
from implicit_bc.spaces import Spaces

torch.set_num_threads(1)


@pytest.fixture
def make_bundle(tmp_path: Path) -> Callable[[str], Path]:
    """Write a bundle for a contract and return its folder."""

    def make(contract_name: str = 'planar_rgb') -> Path:
        torch.manual_seed(0)
        contract = load_contract(contract_name)
        width = 3 if contract.observation.kind == 'image' else contract.observation_shape[1]
        scaling = Scaling(
            Affine((0.4,) * width, (0.2,) * width),
            Affine((0.0, 0.0), (0.01, 0.01)),
            ActionBounds((-0.03, -0.02), (0.02, 0.03)),
        )
        network = NetworkConfig(
            image=ConvMaxPoolConfig((4, 8), (True, False), stem_stride=2, keypoints=4),
            value=ValueConfig(16, 2),
        )
        method = DerivativeFree(sampler=DerivativeFreeConfig(samples=64))
        model = method.model(Spaces.of_contract(contract), network, scaling)
        return save_bundle(tmp_path / 'models' / 'tiny', contract, model, ['push_red'], {})

    return make


@pytest.fixture
def rgb() -> np.ndarray:
    """A 160x120 camera frame."""
    return np.random.default_rng(0).integers(0, 255, (120, 160, 3)).astype(np.uint8)
