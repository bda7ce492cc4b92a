"""Names of topics, services, frames and every node's parameters: spelled in one place.

All names are relative (REP-135: launch decides the namespace), except `/diagnostics`.
"""

# Camera (realsense_capture).
CAMERA_IMAGE = 'camera/color/image_raw'
CAMERA_COMPRESSED = 'camera/color/image_raw/compressed'
CAMERA_INFO = 'camera/color/camera_info'

# Arm (xarm_planar_driver).
JOINT_STATES = 'joint_states'
TCP_POSE = 'tcp_pose'
TCP_SETPOINT = 'tcp_setpoint'
ARM_STATE = 'arm/state'
ARM_STOPPED, ARM_IDLE = 'stopped', 'idle'

# Commands: moves of the setpoint in `link_base` [m].
TELEOP_DELTA = 'teleop/delta_setpoint'
POLICY_DELTA = 'policy/delta_setpoint'

# Whether somebody wants the policy to act (ibc_policy_node): a message per request.
POLICY_ENABLED = 'policy/enabled'

# What the policy sees, for people (ibc_policy_node).
POLICY_LANDSCAPE = 'policy/landscape/compressed'
POLICY_MODES = 'policy/modes'

# What the recorder is doing, for people (demo_recorder); latched.
RECORDER_STATE = 'recorder/state'

# Ground truth that only a twin has (xarm_twin).
TWIN_OBJECTS = 'twin/objects'
TWIN_SCORE = 'twin/score'
TWIN_SEED = 'twin/seed'

DIAGNOSTICS = '/diagnostics'

# Services.
ARM_ENABLE = 'arm/enable'
ARM_STOP = 'arm/stop'
ARM_RESET = 'arm/reset'
ARM_HOME = 'arm/home'
POLICY_ENABLE = 'policy/enable'
RECORDER_START = 'recorder/start'
RECORDER_STOP = 'recorder/stop'
RECORDER_DISCARD = 'recorder/discard'
RECORDER_MARK_SUCCESS = 'recorder/mark_success'
RECORDER_MARK_FAILURE = 'recorder/mark_failure'
TWIN_RESET = 'twin/reset'

# Frames (REP-103: x forward, y left, z up; optical frames z forward, x right, y down).
LINK_BASE = 'link_base'
CAMERA_OPTICAL_FRAME = 'camera_color_optical_frame'

# What an episode records: relative topic name -> message type.
EPISODE_TOPICS = {
    CAMERA_COMPRESSED: 'sensor_msgs/msg/CompressedImage',
    CAMERA_INFO: 'sensor_msgs/msg/CameraInfo',
    JOINT_STATES: 'sensor_msgs/msg/JointState',
    TCP_POSE: 'geometry_msgs/msg/PoseStamped',
    TCP_SETPOINT: 'geometry_msgs/msg/PoseStamped',
    TELEOP_DELTA: 'geometry_msgs/msg/Vector3Stamped',
    POLICY_DELTA: 'geometry_msgs/msg/Vector3Stamped',
    TWIN_OBJECTS: 'geometry_msgs/msg/PoseArray',
    TWIN_SCORE: 'std_msgs/msg/Float64',
}

PARAMETERS_OF_EVERY_NODE = frozenset(('use_sim_time', 'start_type_description_service'))
"""What rclpy declares itself."""
