"""The state observation: setpoint and object poses as one vector."""

import numpy as np
import numpy.typing as npt

from ibc_contract.contract import Contract, StateObservation
from ibc_contract.errors import IbcError


def state_vector(
    setpoint_xy: npt.ArrayLike, object_poses: npt.ArrayLike, contract: Contract
) -> np.ndarray:
    """Lay out one time step as the contract says, shape (D,) float32.

    Args:
        setpoint_xy: Setpoint in the plane of `link_base`, shape (2,) [m].
        object_poses: x, y, z [m] and quaternion x, y, z, w of each object, shape (n, 7).
        contract: A contract whose observation is a state with room for n objects.

    Returns:
        Setpoint x, y, then x, y, cos(yaw), sin(yaw) of each object; zeros for absent objects.
    """
    poses = np.asarray(object_poses, dtype=float).reshape(-1, 7)
    observation = contract.observation
    if not isinstance(observation, StateObservation):
        raise IbcError(f'contract {contract.name} observes images, not states')
    if not 1 <= len(poses) <= observation.objects:
        raise IbcError(
            f'contract {contract.name} has room for {observation.objects} objects, but the twin '
            f'has {len(poses)}: use a task with 1 to {observation.objects} or another contract'
        )
    qx, qy, qz, qw = poses[:, 3:].T
    yaw = np.arctan2(2 * (qw * qz + qx * qy), 1 - 2 * (qy * qy + qz * qz))
    objects = np.column_stack([poses[:, :2], np.cos(yaw), np.sin(yaw)])
    vector = np.zeros(observation.width, np.float32)
    vector[:2] = setpoint_xy
    vector[2 : 2 + objects.size] = objects.ravel()
    return vector
