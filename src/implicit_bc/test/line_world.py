"""A world with a known answer, in a module that worker processes can import."""

import os
import time

import numpy as np


class LineEnv:
    """Walk from a random place to the origin within 30 steps of 4 cm."""

    def reset(self, *, seed=None):
        self.position = np.random.default_rng(seed).uniform(-0.3, 0.3, 2)
        self.steps = 0
        return self._observation(), self._info()

    def step(self, action):
        self.position = self.position + np.clip(action, -0.04, 0.04)
        self.steps += 1
        info = self._info()
        return self._observation(), info['score'], info['success'], self.steps == 30, info

    def close(self):
        pass

    def _observation(self):
        return {'state': np.stack((self.position, self.position)).astype(np.float32)}

    def _info(self):
        distance = float(np.linalg.norm(self.position))
        return {'score': 1 - min(1, distance), 'success': distance < 0.01, 'process': os.getpid()}


class SlowEnv(LineEnv):
    """Takes its time."""

    def step(self, action):
        time.sleep(0.01)
        return super().step(action)


class ThreadEnv(LineEnv):
    """Tells as an intervention what `ThreadCounter` did."""

    def step(self, action):
        observation, reward, done, truncated, info = super().step(action * 0)
        return observation, reward, done, truncated, info | {'interventions': {'threads': action}}


class ThreadCounter:
    """Acts by the number of PyTorch's threads."""

    def __init__(self):
        import torch

        self._torch = torch

    def reset(self, rng):
        pass

    def act(self, observation, rng):
        return self._torch.get_num_threads()


class Witness:
    """Writes down steps and success of an episode."""

    def __init__(self, folder, seed):
        self._file = folder / str(seed)
        self._steps = 0

    def step(self, observation, action, info):
        self._steps += 1

    def end(self, episode):
        self._file.write_text(f'{self._steps} {episode.success}')


class HomingPolicy:
    """Goes home; `flaw` makes it lose its way in this fraction of the episodes."""

    def __init__(self, flaw=0.0):
        self.flaw = flaw

    def reset(self, rng):
        self.lost = rng.random() < self.flaw

    def act(self, observation, rng):
        return np.zeros(2) if self.lost else -observation['state'][-1].astype(float)
