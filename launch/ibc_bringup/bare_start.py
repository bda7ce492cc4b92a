"""`python -m ibc_bringup.bare_start MODULE ARGUMENTS...`: run a module that an interrupt may end.

Python would print a traceback if it came while the module is being imported, which takes seconds
where PyTorch is needed. Until the node's runner installs its own handlers, the signal's default
action applies: the process ends at once, in silence, before it has touched anything.
"""

import runpy
import signal
import sys

signal.signal(signal.SIGINT, signal.SIG_DFL)

if __name__ == '__main__':
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name='__main__', alter_sys=True)
