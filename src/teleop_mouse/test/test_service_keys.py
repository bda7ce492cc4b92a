"""The clients behind the keys, on a real ROS graph and without a window."""

import time

from rclpy.node import Node
from std_srvs.srv import SetBool, Trigger

from ibc_contract import topics
from teleop_mouse.keys import QUIT, find_key
from teleop_mouse.service_keys_node import ANSWER_TIMEOUT_S, WAY_HOME_TIMEOUT_S, ServiceKeys


def test_keys_are_offered_as_their_services_come_and_go(ros):
    mouse, driver = (Node(name, context=ros.context) for name in ('mouse', 'driver'))
    keys = ServiceKeys(mouse)
    assert keys.offered() == {QUIT}
    driver.create_service(Trigger, topics.ARM_HOME, lambda _, answer: answer)
    driver.create_service(SetBool, topics.POLICY_ENABLE, lambda _, answer: answer)
    offered = {QUIT, topics.ARM_HOME, topics.POLICY_ENABLE}
    assert ros.spin_until(lambda: keys.offered() == offered, mouse, driver)
    driver.destroy_node()
    assert ros.spin_until(lambda: keys.offered() == {QUIT}, mouse)
    mouse.destroy_node()


def test_a_way_home_may_take_longer_than_a_service_that_is_dead(ros, monkeypatch):
    mouse, silent = (Node(name, context=ros.context) for name in ('mouse', 'silent'))
    keys = ServiceKeys(mouse)
    for key in (find_key(ord('h')), find_key(ord('s'))):
        assert key is not None
        silent.create_service(Trigger, key.action, lambda _, answer: answer)
        assert ros.spin_until(lambda key=key: key.action in keys.offered(), mouse)
        keys.call(key)
    called_s = time.monotonic()
    monkeypatch.setattr('time.monotonic', lambda: called_s + ANSWER_TIMEOUT_S + 1.0)
    assert keys.message().text == 'recorder/start: no answer for 15 s'
    monkeypatch.setattr('time.monotonic', lambda: called_s + WAY_HOME_TIMEOUT_S + 1.0)
    assert keys.message().text == 'arm/home: no answer for 180 s'
    for node in (mouse, silent):
        node.destroy_node()


def test_a_key_without_a_service_says_whose_it_is(ros):
    mouse = Node('mouse', context=ros.context)
    keys = ServiceKeys(mouse)
    policy_on = find_key(ord('p'))
    assert policy_on is not None
    keys.call(policy_on)
    message = keys.message()
    assert message.failed
    assert message.text == 'policy/enable is not offered: is ibc_policy running?'
    mouse.destroy_node()
