# ROS's launch, not this folder:
# pyright: reportAttributeAccessIssue=false
"""Let a trained policy move the arm.

In the twin:  ros2 launch ibc_bringup run_policy.launch.py model:=push_red_then_green
On the arm:   ... model:=push_red_then_green sim:=false robot_ip:=192.168.1.212
"""

from launch import LaunchDescription

from ibc_bringup.launch_description import launch_stack


def generate_launch_description() -> LaunchDescription:
    """Build the description from the stack that ibc_bringup declares."""
    return launch_stack('run_policy')
