"""PyBullet twin: world, tasks, demonstrators, camera, Gymnasium environments, emulated xArm controller."""
