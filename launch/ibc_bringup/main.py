"""The `ibc` command."""

import logging
import os
import shlex
import sys
from collections.abc import Sequence
from concurrent.futures import BrokenExecutor

from ibc_bringup import commands
from ibc_bringup.options import Parser
from ibc_contract.errors import IbcError
from planar_arm.errors import PlanarArmError

TALKING = (
    'ibc_bringup', 'ibc_contract', 'ibc_studies', 'implicit_bc', 'planar_arm', 'xarm_twin',
    'demo_recorder',
)  # fmt: skip
"""Packages whose progress is shown; of everybody else's, only warnings."""


def parser() -> Parser:
    """Build the command line; nothing heavy is imported before a command runs."""
    top = Parser(prog='ibc', description='Teach an xArm6 a planar task, train a policy, run it.')
    subparsers = top.add_subparsers(title='commands', metavar='COMMAND', required=True)
    for module in commands.ALL:
        module.add_parser(subparsers)
    return top


def main(argv: Sequence[str] | None = None) -> None:
    """Run one command; what a person can mend becomes one line and exit code 1."""
    # PyTorch's threads spin while they wait; beside any other busy process that made training on
    # two cores five times slower (0.5 against 2.7 steps/s). It must be set before torch is loaded.
    os.environ.setdefault('OMP_WAIT_POLICY', 'PASSIVE')
    words = sys.argv[1:] if argv is None else argv
    arguments = parser().parse_args(words)
    arguments.typed = shlex.join(['ibc', *words])
    show_log()
    try:
        code = arguments.run(arguments)
    except KeyboardInterrupt:
        code = 130
    except BrokenPipeError:
        code = 141
    except (IbcError, PlanarArmError) as error:
        sys.stderr.write(f'error: {error}\n')
        code = 1
    except BrokenExecutor:
        sys.stderr.write(
            'error: a worker process was killed, maybe for lack of memory: run it again '
            'with fewer --workers\n'
        )
        code = 1
    except OSError as error:
        sys.stderr.write(f'error: {_reason(error)}\n')
        code = 1
    sys.exit(code)


class _PlainLines(logging.Formatter):
    """Just the message, with its level where something is wrong."""

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        return f'{record.levelname.lower()}: {text}' if record.levelno > logging.INFO else text


def show_log() -> None:
    """Write what the commands log to stderr, unless somebody handles it already."""
    root = logging.getLogger()
    if root.handlers:
        return
    handler = logging.StreamHandler()
    handler.setFormatter(_PlainLines())
    root.addHandler(handler)
    for name in TALKING:
        logging.getLogger(name).setLevel(logging.INFO)


def _reason(error: OSError) -> str:
    """What the system refused, in one line."""
    if error.strerror is None:
        return ' '.join(str(error).split())
    return f'{error.filename}: {error.strerror}' if error.filename else error.strerror


if __name__ == '__main__':
    main()
