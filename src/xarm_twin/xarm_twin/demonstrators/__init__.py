"""Scripted demonstrators: closed loop, through moves of the setpoint alone."""
