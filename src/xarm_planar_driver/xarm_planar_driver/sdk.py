"""The vendor's SDK, opened so that it neither hangs nor prints."""

import contextlib
import io
import logging
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

from xarm_planar_driver.errors import ArmError

SDK_TIMEOUT = 15.0
"""How long the SDK may take to connect, on a busy machine too [s]."""


def open_sdk(ip: str, control_port: int) -> Any:
    """Open the SDK in a thread: it asks for minutes, and swallows every signal meanwhile."""
    opened: Future[Any] = Future()

    def work() -> None:
        try:
            opened.set_result(_open(ip, control_port))
        except BaseException as error:
            opened.set_exception(error)

    threading.Thread(target=work, name='open xArm SDK', daemon=True).start()
    try:
        return opened.result(SDK_TIMEOUT)
    except TimeoutError:
        raise _falls_silent(ip, control_port, f'for {SDK_TIMEOUT:.0f} s') from None


def _falls_silent(ip: str, control_port: int, detail: str) -> ArmError:
    return ArmError(
        f'the arm at {ip}:{control_port} answers one question and no more ({detail}): check its '
        'cable and that no other program keeps it busy, or restart the controller'
    )


def _open(ip: str, control_port: int) -> Any:
    default_timeout = socket.getdefaulttimeout()
    try:
        with quiet():
            from xarm.core.config.x_config import XCONF
            from xarm.core.utils.log import logger, origin_logger
            from xarm.wrapper import XArmAPI

            # Failing calls would print a line each, a hundred times a second.
            logger.setLevel(logging.CRITICAL)
            origin_logger.setLevel(logging.CRITICAL)
            XCONF.SocketConf.TCP_CONTROL_PORT = control_port  # type: ignore[assignment]
            # Replies carry errors and refusals; the report thread would cost 6 % of a core.
            return XArmAPI(ip, is_radian=True, forbid_uds=True, enable_report=False)
    except OSError as error:
        raise ArmError(f'the xArm SDK cannot start: {error}') from None
    except Exception as error:  # the SDK raises bare Exception when it cannot connect
        raise _falls_silent(ip, control_port, str(error)) from None
    finally:
        socket.setdefaulttimeout(default_timeout)  # the SDK sets 1 s for the whole process


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Swallow what the SDK prints to stdout."""
    with contextlib.redirect_stdout(io.StringIO()):
        yield
