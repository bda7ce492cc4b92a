# ROS's launch, not this folder:
# pyright: reportAttributeAccessIssue=false
"""Record demonstrations with the mouse, or with the scripted demonstrator.

In the twin:  ros2 launch ibc_bringup teleop_record.launch.py demonstrator:=true episodes:=10
On the arm:   ... sim:=false robot_ip:=192.168.1.212 config_dir:=site
"""

from launch import LaunchDescription

from ibc_bringup.launch_description import launch_stack


def generate_launch_description() -> LaunchDescription:
    """Build the description from the stack that ibc_bringup declares."""
    return launch_stack('teleop_record')
