"""What stacks would start, and what a robot's site has."""

from ibc_bringup.stacks import find_stack

ROBOT = {'sim': 'false', 'robot_ip': '10.0.0.5'}
POSE = 'position: [0.7, 0, 0.5]\nlook_at: [0.4, 0, 0]\n'
TABLE = 'tool_height: 0.04\npolygon: [[0.2, -0.2], [0.5, 0.0], [0.2, 0.2]]\ntool_length: 0.1524\n'


def calls(stack, **given):
    """The nodes that a stack starts for these arguments, by name."""
    found = find_stack(stack)
    return {call.process.name: call for call in found.calls(found.values(given))}
