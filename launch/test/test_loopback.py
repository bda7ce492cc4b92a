"""Who can reach the nodes of a stack: nobody on the network, unless a person asked for it."""

import os
import subprocess
import sys

from ibc_bringup.up import REACH, ros_environment
from ibc_contract.private_domain import private_domain

OURS = (REACH, 'FASTRTPS_DEFAULT_PROFILES_FILE')
LISTENING = """
import os, rclpy
rclpy.init()
node = rclpy.create_node('who_listens')
mine = set()
for fd in os.listdir('/proc/self/fd'):
    try:
        mine.add(os.readlink(f'/proc/self/fd/{fd}').removeprefix('socket:[').removesuffix(']'))
    except OSError:  # the folder's own
        pass
for line in open('/proc/net/udp').readlines()[1:]:
    local, inode = line.split()[1], line.split()[9]
    address, port = (int(part, 16) for part in local.split(':'))
    # Where participants of this domain can be written to (DDSI-RTPS 9.6.1).
    if inode in mine and 0 <= port - 7400 - 250 * int(os.environ['ROS_DOMAIN_ID']) < 250:
        print('.'.join(map(str, address.to_bytes(4, 'little'))))
"""


def addresses(**asked: str) -> set[str]:
    """Where a node takes datagrams of its domain."""
    plain = {name: value for name, value in os.environ.items() if name not in OURS}
    with private_domain() as domain_id:
        done = subprocess.run(
            [sys.executable, '-c', LISTENING],
            env=ros_environment({**plain, 'ROS_DOMAIN_ID': str(domain_id), **asked}),
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
    return set(done.stdout.split())


def test_nodes_listen_on_this_machine_alone():
    assert addresses() == {'127.0.0.1'}


def test_nodes_listen_to_the_network_when_asked():
    assert '0.0.0.0' in addresses(ROS_AUTOMATIC_DISCOVERY_RANGE='SUBNET')
