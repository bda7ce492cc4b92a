"""PyBullet twin: world, tasks, demonstrators, camera, environments, emulated controller."""
