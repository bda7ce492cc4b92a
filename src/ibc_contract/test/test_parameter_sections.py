"""Sections of parameter files against what rclpy itself makes of them."""

import pytest
import yaml
from rclpy.node import Node

from ibc_contract.parameter_sections import is_read_by, parameter_sections

FILES = {
    'every node': '/**: {ros__parameters: {hz: 5}}',
    'its name': 'driver: {ros__parameters: {hz: 5}}',
    'its full name': '/driver: {ros__parameters: {hz: 5}}',
    'in a namespace': '/lab/driver: {ros__parameters: {hz: 5}}',
    'nested': 'lab: {driver: {ros__parameters: {hz: 5}}}',
    'nested, with slashes': '/lab: {driver: {ros__parameters: {hz: 5}}}',
    'another': 'drivr: {ros__parameters: {hz: 5}}',
    'another namespace': '/shop/driver: {ros__parameters: {hz: 5}}',
    'several': 'camera: {ros__parameters: {hz: 1}}\nlab: {driver: {ros__parameters: {hz: 5}}}',
}


@pytest.mark.parametrize('namespace', ['', 'lab'])
@pytest.mark.parametrize('text', FILES.values(), ids=FILES)
def test_a_section_is_read_by_a_node_where_rclpy_gives_it_to_it(ros, tmp_path, text, namespace):
    path = tmp_path / 'driver.yaml'
    path.write_text(text)
    words = ['--ros-args', '--params-file', str(path)]
    node = Node('driver', namespace=namespace, context=ros.context, cli_args=words)
    gets = bool(node._parameter_overrides)
    sections = parameter_sections(yaml.safe_load(text))
    me = node.get_fully_qualified_name()
    assert any(is_read_by(section, me) for section in sections) == gets
    node.destroy_node()


@pytest.mark.parametrize(
    ('data', 'said'),
    [
        (None, 'it needs'),
        ([1], 'it needs'),
        ({'driver': 3}, 'driver: needs ros__parameters'),
        ({'driver': None}, 'driver: needs ros__parameters'),
        ({'driver': {'ros__parameters': None}}, 'holds no values'),
        ({'lab': {'driver': {'hz': 5}}}, 'hz: needs ros__parameters'),
    ],
)
def test_what_is_no_parameter_file_is_told(data, said):
    with pytest.raises(ValueError, match=said):
        parameter_sections(data)
