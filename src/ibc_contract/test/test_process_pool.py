import os
import signal
import subprocess
import sys
import time

from ibc_contract.process_pool import spawn_pool

PARENT = """
import os, sys, time
from ibc_contract.process_pool import spawn_pool
if __name__ == '__main__':
    pool = spawn_pool(2)
    print(pool.submit(os.getpid).result(), flush=True)
    pool.submit(time.sleep, 600).result()
"""


def test_work_is_done_in_other_processes():
    with spawn_pool(2) as pool:
        # Not a function of this file: `colcon test` starts pytest where no worker could import it.
        assert list(pool.map(abs, range(-2, 3))) == [2, 1, 0, 1, 2]
        assert pool.submit(os.getpid).result() != os.getpid()


def test_workers_do_not_outlive_a_killed_parent(tmp_path):
    script = tmp_path / 'parent.py'
    script.write_text(PARENT)
    parent = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    worker = int(parent.stdout.readline())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    deadline = time.monotonic() + 60
    while _runs(worker):
        assert time.monotonic() < deadline, 'the worker still runs'
        time.sleep(0.05)


def _runs(pid: int) -> bool:
    try:
        with open(f'/proc/{pid}/stat') as file:
            return file.read().rsplit(')', 1)[1].split()[0] != 'Z'
    except FileNotFoundError:
        return False
