"""100 Hz driver that streams interpolated, gated joint positions to an xArm6."""
