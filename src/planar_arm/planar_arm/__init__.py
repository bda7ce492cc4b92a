"""Frames, workspace, xArm6 kinematics, setpoint interpolation and safety gate, free of ROS."""
