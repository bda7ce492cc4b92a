"""Stacks, launch files and the `ibc` command."""
