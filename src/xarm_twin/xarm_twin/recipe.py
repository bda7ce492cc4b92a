"""What generated episodes have in common, and which of them a folder holds already."""

from dataclasses import dataclass
from pathlib import Path

from ibc_contract.contract import ImageObservation, load_contract
from ibc_contract.episode_info import EpisodeInfo
from ibc_contract.episode_reader import EpisodeReader, find_episodes
from ibc_contract.episode_writer import DISCARDED, REPAIRED
from ibc_contract.errors import IbcError
from xarm_twin.camera import RendererChoice
from xarm_twin.cell import TICKS_PER_SECOND
from xarm_twin.lead_in import PlayerFactory
from xarm_twin.randomization import Randomization, load_randomization
from xarm_twin.tasks import get_task


@dataclass(frozen=True)
class Recipe:
    """What the episodes have in common."""

    task: str
    root: Path
    contract: str = 'planar_rgb'
    noise: float = 0.0
    multimodal: bool = False
    camera_hz: int = 5
    lead_in_s: float = 0.0
    """Longest unrecorded play before an episode begins [s]."""
    player: PlayerFactory | None = None
    """Who plays then; a very unsteady hand by default."""
    player_name: str = 'a policy'
    """What the bags call the player."""
    frame_latency_s: tuple[float, float] = (0.03, 0.12)
    """Range from which each episode draws the time from a frame's stamp to its arrival [s]: as
    measured in the ROS graph."""
    renderer: RendererChoice = 'auto'
    randomize: bool = False
    """Whether each episode has a scene of its own."""

    def __post_init__(self) -> None:
        get_task(self.task)
        if not 1 <= self.camera_hz <= TICKS_PER_SECOND or TICKS_PER_SECOND % self.camera_hz:
            raise IbcError(f'camera_hz is {self.camera_hz}, it must divide {TICKS_PER_SECOND}')

    @property
    def has_camera(self) -> bool:
        """Whether the contract looks at images."""
        return isinstance(load_contract(self.contract).observation, ImageObservation)

    @property
    def randomization(self) -> Randomization | None:
        """What the scenes are drawn from; None: all are the one that ships."""
        return load_randomization() if self.randomize else None

    def name(self, seed: int) -> str:
        """Name of the episode with this seed."""
        return f'{self.task}_{seed:06d}'

    @property
    def note(self) -> str:
        """What the bags say about how they were made."""
        return (
            f'generated, noise {self.noise:g}, multimodal {self.multimodal}, lead-in up to '
            f'{self.lead_in_s:g} s by {self.player_name if self.player else "an unsteady hand"}'
            f'{", randomized" if self.randomize else ""}'
        )

    def finished(self, seed: int) -> tuple[bool, Path | None]:
        """Whether this seed was done before, and the episode if that shows how to do the task.

        Raises:
            IbcError: It was done by another recipe: the folder would hold a mixture.
        """
        name = self.name(seed)
        places = [self.root / name, self.root / f'{name}{REPAIRED}', self.root / DISCARDED / name]
        done = {path: self._info(path) for path in places if path.exists()}
        shown = [p for p in done if p.parent == self.root and done[p].outcome == 'success']
        return bool(done), shown[0] if shown else None

    def require_only_its_own(self) -> None:
        """Raise IbcError if the folder holds episodes that another recipe has generated."""
        for episode in find_episodes(self.root):
            if episode.parent == self.root and EpisodeReader(episode).info.source == 'twin':
                self._info(episode)

    def _info(self, episode: Path) -> EpisodeInfo:
        """Return what the episode says about itself; IbcError if another recipe made it."""
        info, contract = EpisodeReader(episode).info, load_contract(self.contract)
        note = info.note.split(' / ')[0]  # what a repair has to say comes behind
        made = (info.task, note, info.contract_hash)
        if made != (self.task, self.note, contract.hash):
            raise IbcError(
                f'{episode} was made with other options ({info.task}; {info.note}; contract '
                f'{info.contract_name} {info.contract_hash}) than these ({self.task}; {self.note}; '
                f'contract {contract.name} {contract.hash}): choose another folder, or the same '
                'options'
            )
        return info
