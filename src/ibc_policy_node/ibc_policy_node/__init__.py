"""5 Hz node that runs an implicit policy on camera frames."""
