"""The modes of an energy, found by clustering a sampler's final candidates."""

from dataclasses import dataclass
from typing import Annotated

import pydantic
import torch
from pydantic import ConfigDict, Field
from torch import Tensor

CLUSTERED = 2048
"""Candidates that are clustered at most; time grows with the square."""
BLOCK = 128
"""Candidates whose distances are computed at a time: they fit a cache."""


@pydantic.dataclasses.dataclass(frozen=True, config=ConfigDict(extra='forbid'))
class ModesConfig:
    """What counts as a mode of its own."""

    radius: Annotated[float, Field(gt=0, description='[normalized action]')] = 0.25
    """Two candidates this close belong together, and so do those that a chain of such pairs links
    downhill: a long valley is one mode."""
    min_mass: Annotated[float, Field(ge=0, lt=1)] = 0.01
    """Clusters with less mass are stragglers and left out."""


@dataclass(frozen=True)
class Mode:
    """One alternative among the actions for an observation."""

    action: Tensor
    """(A,): the candidate of lowest energy of the cluster."""
    mass: float
    """The cluster's share of the sum of exp(-energy) over all candidates. It is no calibrated
    probability: each of Algorithm 1's n iterations weights the candidates anew, which leaves shares
    like those of exp(-n * energy)."""
    margin: float
    """Energy above that of the best mode, 0 for the best."""
    rank_share: float
    """The cluster's share of the best tenth of the candidates. Ranks alone decide it, so that the
    scale of the energies, which training leaves open, does not matter."""


@dataclass(frozen=True)
class Clusters:
    """The candidates of one observation, best first, each with the mode that it belongs to."""

    candidates: Tensor
    """(N, A)."""
    energies: Tensor
    """(N,) float64; only differences mean anything."""
    mode: Tensor
    """(N,): row of the cluster's best candidate."""

    def nearest_mode(self, action: Tensor, radius: float) -> int | None:
        """Row of the mode of the candidate nearest to `action` (A,); none within `radius`: None."""
        distance, nearest = torch.linalg.vector_norm(self.candidates - action, dim=1).min(dim=0)
        return int(self.mode[nearest]) if distance <= radius else None


def cluster(candidates: Tensor, energies: Tensor, radius: float) -> Clusters:
    """Cluster the candidates (N, A) of one observation by their energies (N,).

    Every candidate follows its nearest better neighbor within the radius; those without one are the
    modes (quick shift, Vedaldi & Soatto 2008, with the energy for a density). Nothing is drawn, and
    the order of the candidates does not matter.
    """
    order = energies.argsort(stable=True)
    # Every k-th of the sorted ones: the best stays, and so do the shares.
    order = order[:: -(-len(order) // CLUSTERED)]
    candidates, energies = candidates[order], energies[order].double()
    return Clusters(candidates, energies, _roots(candidates, radius))


def find_modes(candidates: Tensor, energies: Tensor, config: ModesConfig) -> tuple[Mode, ...]:
    """Return the modes among the candidates (N, A) with energies (N,), best mode first."""
    found = cluster(candidates, energies, config.radius)
    energies, mode = found.energies, found.mode
    mass = torch.zeros_like(energies).index_add(0, mode, torch.softmax(-energies, dim=0))
    best = mode[: -(-len(mode) // 10)]
    rank_share = torch.bincount(best, minlength=len(mode)).double() / len(best)
    return tuple(
        Mode(
            found.candidates[i],
            float(mass[i]),
            float(energies[i] - energies[0]),
            float(rank_share[i]),
        )
        for i in mode.unique().tolist()
        if i == 0 or mass[i] >= config.min_mass
    )


def _roots(candidates: Tensor, radius: float) -> Tensor:
    """Index (N,) of the mode that each of `candidates` (N, A), best first, ends at."""
    root = torch.arange(len(candidates), device=candidates.device)
    for start in range(0, len(candidates), BLOCK):
        block = candidates[start : start + BLOCK]
        # Only better ones, which come before: less than half of all distances.
        distance = torch.cdist(
            block,
            candidates[: start + len(block)],
            compute_mode='donot_use_mm_for_euclid_dist',
        )
        not_better = torch.ones(len(block), len(block), dtype=torch.bool, device=root.device).triu()
        distance[:, start:].masked_fill_(not_better, torch.inf)
        nearest, better = distance.min(dim=1)
        alone = root[start : start + len(block)]
        root[start : start + len(block)] = torch.where(nearest <= radius, better, alone)
    while not torch.equal(root, root[root]):
        root = root[root]
    return root
