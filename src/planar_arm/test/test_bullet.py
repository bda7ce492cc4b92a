import subprocess
import sys

import pytest

CODE = 'import sys, {module}; sys.stderr.write("after"); print(sys.modules["pybullet"].DIRECT)'


@pytest.mark.parametrize('module', ['planar_arm.bullet', 'planar_arm.kinematics'])
def test_pybullet_is_imported_without_a_greeting(module):
    command = [sys.executable, '-c', CODE.format(module=module)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ('2\n', 'after')


def test_it_is_imported_without_stderr_too():
    command = [sys.executable, '-c', 'import planar_arm.bullet; print(1)']
    shell = ['sh', '-c', '"$@" 2>&-', 'sh', *command]
    assert subprocess.run(shell, capture_output=True, text=True, check=True).stdout == '1\n'
