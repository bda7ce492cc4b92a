#!/bin/bash
# ROS, then this workspace, then what was asked for. No `set -u`: ROS's own scripts read unset variables.
set -e
source /opt/ros/jazzy/setup.bash
source /opt/ibc/local_setup.bash
exec "$@"
