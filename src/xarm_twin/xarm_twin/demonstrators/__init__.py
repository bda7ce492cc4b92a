"""Scripted demonstrators: closed loop, through moves of the setpoint alone."""

from xarm_twin.demonstrators.demonstrator import PERIOD, Demonstrator, make_demonstrator

__all__ = ['PERIOD', 'Demonstrator', 'make_demonstrator']
