# ROS's launch, not this folder:
# pyright: reportAttributeAccessIssue=false
"""Drive the arm with a bag's setpoints and report the tracking error.

In the twin:  ros2 launch ibc_bringup replay_bag.launch.py bag:=bags/EPISODE
On the arm:   ... bag:=bags/EPISODE sim:=false robot_ip:=192.168.1.212
"""

from launch import LaunchDescription

from ibc_bringup.launch_description import launch_stack


def generate_launch_description() -> LaunchDescription:
    """Build the description from the stack that ibc_bringup declares."""
    return launch_stack('replay_bag')
