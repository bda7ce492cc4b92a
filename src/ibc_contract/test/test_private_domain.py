import os
import subprocess
import sys

import pytest

from ibc_contract.errors import IbcError
from ibc_contract.private_domain import DOMAINS, private_domain

# No domains of DDS: nobody else asks for them.
SPARE = range(1000 + 2 * os.getpid(), 1002 + 2 * os.getpid())
FIRST_EPHEMERAL_PORT = 32768
HOLDER = """
import sys, time
from ibc_contract.private_domain import private_domain
with private_domain(range(*map(int, sys.argv[1:]))):
    print('held', flush=True)
    time.sleep(600)
"""


def test_nobody_is_given_a_domain_that_somebody_holds():
    with private_domain(SPARE) as one:
        with private_domain(SPARE) as other:
            assert {one, other} == set(SPARE)
            with (
                pytest.raises(IbcError, match='is held by another ibc command or test'),
                private_domain(SPARE),
            ):
                pass
        with private_domain(SPARE) as again:
            assert again == other


def test_the_next_one_is_another():
    with private_domain(SPARE) as one:
        pass
    with private_domain(SPARE) as next_one:
        assert next_one != one


def test_a_process_that_is_killed_gives_its_domain_back():
    (domain_id,) = single = SPARE[:1]
    command = [sys.executable, '-c', HOLDER, str(single.start), str(single.stop)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == 'held\n'
        with pytest.raises(IbcError), private_domain(single):
            pass
        holder.kill()
    with private_domain(single) as free:
        assert free == domain_id


def test_people_and_ephemeral_ports_are_left_alone():
    with private_domain() as domain_id:
        assert 50 <= domain_id <= 100
    assert 7400 + 250 * (DOMAINS[-1] + 1) <= FIRST_EPHEMERAL_PORT
