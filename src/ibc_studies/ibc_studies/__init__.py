"""Environments of the paper's simulated studies, and their oracles.

Importing this package registers `ibc_studies/Particle-v0`, `ibc_studies/PushSingleTarget-v0` and
`ibc_studies/PushMultiTarget-v0` with Gymnasium, the latter two from pixels too
(`ibc_studies/PushSingleTargetPixels-v0`); `gymnasium.make` does it by itself when told the package,
as in `ibc_studies:ibc_studies/Particle-v0`.
"""

import gymnasium

_ENTRY_POINTS = {
    'ibc_studies/Particle-v0': ('ibc_studies.particle:ParticleEnv', {}),
    'ibc_studies/PushSingleTarget-v0': ('ibc_studies.pushing:PushingEnv', {'task': 'single'}),
    'ibc_studies/PushMultiTarget-v0': ('ibc_studies.pushing:PushingEnv', {'task': 'multi'}),
    'ibc_studies/PushSingleTargetPixels-v0': (
        'ibc_studies.pushing.pixels_env:PushingPixelsEnv',
        {'task': 'single'},
    ),
    'ibc_studies/PushMultiTargetPixels-v0': (
        'ibc_studies.pushing.pixels_env:PushingPixelsEnv',
        {'task': 'multi'},
    ),
}

for _id, (_entry_point, _kwargs) in _ENTRY_POINTS.items():
    if _id not in gymnasium.registry:
        gymnasium.register(_id, _entry_point, kwargs=_kwargs)
