"""Who can reach a node, however it was started: nobody on the network, unless a person asked."""

import os
import subprocess
import sys

import pytest

from ibc_contract.private_domain import private_domain
from ibc_contract.reach import PROFILE, REACH, missing_settings

NODE = """
import os, sys
from rclpy.node import Node
from ibc_contract.runner import run

class WhoListens(Node):
    exit_code = 0

    def __init__(self):
        super().__init__('who_listens')
        mine = set()
        for fd in os.listdir('/proc/self/fd'):
            try:
                link = os.readlink(f'/proc/self/fd/{fd}')
            except OSError:  # the folder's own
                continue
            mine.add(link.removeprefix('socket:[').removesuffix(']'))
        for line in open('/proc/net/udp').readlines()[1:]:
            local, inode = line.split()[1], line.split()[9]
            address, port = (int(part, 16) for part in local.split(':'))
            # Where participants of this domain can be written to (DDSI-RTPS 9.6.1).
            offset = port - 7400 - 250 * int(os.environ['ROS_DOMAIN_ID'])
            if inode in mine and 0 <= offset < 250:
                print('.'.join(map(str, address.to_bytes(4, 'little'))))

    def close(self):
        pass

sys.exit(run(WhoListens))
"""


def addresses(**asked: str) -> set[str]:
    """Where a node takes datagrams of its domain."""
    plain = {name: value for name, value in os.environ.items() if name not in (REACH, PROFILE)}
    with private_domain() as domain_id:
        done = subprocess.run(
            [sys.executable, '-c', NODE],
            env={**plain, 'ROS_DOMAIN_ID': str(domain_id), **asked},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
    return set(done.stdout.split())


@pytest.mark.system
def test_a_node_listens_on_this_machine_alone():
    assert addresses() == {'127.0.0.1'}


@pytest.mark.system
def test_a_node_listens_to_the_network_when_asked():
    assert '0.0.0.0' in addresses(ROS_AUTOMATIC_DISCOVERY_RANGE='SUBNET')


def test_what_somebody_has_set_stays():
    assert missing_settings({REACH: 'SUBNET', PROFILE: 'mine.xml'}) == {}
    assert missing_settings({PROFILE: 'mine.xml'}) == {REACH: 'LOCALHOST'}
    assert missing_settings({REACH: '', PROFILE: ''}) == missing_settings({})
    assert missing_settings({REACH: 'SUBNET'})[PROFILE].endswith('fastdds_network.xml')
