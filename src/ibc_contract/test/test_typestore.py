"""CDR made without ROS is what rclpy makes, and is read back the same."""

import numpy as np
import pytest

from ibc_contract import messages, typestore
from ibc_contract.topics import EPISODE_TOPICS

POSE = (0.1, -0.2, 0.3, 0.5, -0.5, 0.5, 0.5)


@pytest.mark.parametrize('message_type', sorted(set(EPISODE_TOPICS.values())))
def test_every_episode_type_can_be_made_empty_and_read_back(message_type):
    again = typestore.deserialize(message_type, typestore.serialize(message_type))
    assert typestore.to_cdr(again) == typestore.serialize(message_type)


@pytest.mark.parametrize('message_type', sorted(set(EPISODE_TOPICS.values())))
def test_definitions_separate_nested_types_as_rosbag2_does(message_type):
    text, digest = typestore.definition(message_type)
    assert digest.startswith('RIHS01_')
    for part in text.split('=' * 80 + '\n')[1:]:
        assert part.startswith('MSG: ')


def test_missing_fields_are_zero_and_unknown_ones_are_refused():
    message = typestore.make('geometry_msgs/msg/PoseStamped')
    assert (message.pose.position.x, message.header.frame_id) == (0, '')
    info = typestore.make('sensor_msgs/msg/CameraInfo')
    assert info.k.shape == (9,)
    with pytest.raises(TypeError, match='no field'):
        typestore.make('std_msgs/msg/Float64', value=1.0)


def test_readers_undo_writers():
    stamp = 12_345_678_901_234_567
    pose = typestore.deserialize(
        'geometry_msgs/msg/PoseStamped', messages.pose_stamped_cdr(stamp, POSE[:3], POSE[3:])
    )
    assert messages.stamp_ns(pose) == stamp
    assert pose.pose.position.z == POSE[2]
    assert messages.pose_xy(pose).tolist() == list(POSE[:2])
    assert pose.header.frame_id == 'link_base'
    delta = typestore.deserialize(
        'geometry_msgs/msg/Vector3Stamped', messages.vector3_stamped_cdr(stamp, (0.01, -0.02))
    )
    assert messages.vector_xy(delta).tolist() == [0.01, -0.02]
    objects = typestore.deserialize(
        'geometry_msgs/msg/PoseArray', messages.pose_array_cdr(stamp, [POSE, POSE])
    )
    np.testing.assert_array_equal(messages.poses_array(objects), [POSE, POSE])
    image = typestore.deserialize(
        'sensor_msgs/msg/CompressedImage', messages.compressed_image_cdr(stamp, b'abc')
    )
    assert messages.jpeg_bytes(image) == b'abc'


def test_an_empty_pose_array_keeps_its_shape():
    empty = typestore.make('geometry_msgs/msg/PoseArray')
    assert messages.poses_array(empty).shape == (0, 7)


def test_rclpy_reads_what_is_written_here_and_the_other_way_round():
    pytest.importorskip('rclpy')
    from builtin_interfaces.msg import Time
    from geometry_msgs.msg import (
        Point,
        Pose,
        PoseArray,
        PoseStamped,
        Quaternion,
        Vector3,
        Vector3Stamped,
    )
    from rclpy.serialization import deserialize_message, serialize_message
    from sensor_msgs.msg import CameraInfo, CompressedImage, JointState
    from std_msgs.msg import Float64, Header

    base = Header(stamp=Time(sec=7, nanosec=9), frame_id='link_base')
    camera = Header(stamp=Time(sec=7, nanosec=9), frame_id='camera_color_optical_frame')
    stamp = 7_000_000_009
    pose = Pose(
        position=Point(x=POSE[0], y=POSE[1], z=POSE[2]),
        orientation=Quaternion(x=POSE[3], y=POSE[4], z=POSE[5], w=POSE[6]),
    )
    k = [462.0, 0.0, 320.0, 0.0, 462.0, 180.0, 0.0, 0.0, 1.0]
    pairs = [
        (
            PoseStamped(header=base, pose=pose),
            messages.pose_stamped_cdr(stamp, POSE[:3], POSE[3:]),
        ),
        (
            Vector3Stamped(header=base, vector=Vector3(x=0.01, y=-0.02)),
            messages.vector3_stamped_cdr(stamp, (0.01, -0.02)),
        ),
        (
            JointState(header=base, name=['joint1', 'joint2'], position=[0.1, 0.2]),
            messages.joint_state_cdr(stamp, ['joint1', 'joint2'], [0.1, 0.2]),
        ),
        (
            PoseArray(header=base, poses=[pose, pose]),
            messages.pose_array_cdr(stamp, [POSE, POSE]),
        ),
        (
            CompressedImage(header=camera, format='jpeg', data=b'abcde'),
            messages.compressed_image_cdr(stamp, b'abcde'),
        ),
        (
            CameraInfo(
                header=camera,
                width=640,
                height=360,
                distortion_model='plumb_bob',
                d=[0.0] * 5,
                k=k,
                r=[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
                p=[*k[:3], 0.0, *k[3:6], 0.0, *k[6:], 0.0],
            ),
            messages.camera_info_cdr(stamp, 640, 360, k),
        ),
        (Float64(data=0.5), messages.float64_cdr(0.5)),
    ]
    for message, cdr in pairs:
        assert deserialize_message(cdr, type(message)) == message
        # Not byte for byte: rclpy's alignment padding is uninitialised.
        ours = serialize_message(message)
        message_type = type(message).__module__.split('.')[0] + '/msg/' + type(message).__name__
        assert typestore.to_cdr(typestore.deserialize(message_type, ours)) == cdr
    live = deserialize_message(pairs[0][1], PoseStamped)
    assert messages.stamp_ns(live) == stamp
    assert messages.pose_xy(live).tolist() == list(POSE[:2])
    assert messages.jpeg_bytes(deserialize_message(pairs[4][1], CompressedImage)) == b'abcde'
    np.testing.assert_array_equal(
        messages.poses_array(deserialize_message(pairs[3][1], PoseArray)), [POSE, POSE]
    )
