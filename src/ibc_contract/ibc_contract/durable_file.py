"""A file that loses nothing it has synced, and keeps room to close when the disk fills up."""

import errno
import fcntl
import os
from pathlib import Path

RESERVE_BYTES = 4 << 20
"""Space kept free for closing: the chunk in memory, the index and the metadata."""

NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


class DurableFile:
    """What the MCAP writer writes to: whole records, held back until `sync` or `flush_records`.

    Bytes go to disk in one piece. When a piece does not fit, the reserve is released so that it
    does; when that is not enough, the piece is cut off again, so that the file always ends with a
    whole record.
    """

    def __init__(self, path: Path, reserve_bytes: int = RESERVE_BYTES) -> None:
        """Create `path`, which must not exist, and reserve space beside it.

        Raises:
            OSError: The file cannot be made, or there is no room for the reserve.
        """
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)  # tells repair that this one is alive
        self._reserve = path.with_name('.reserve')
        self._pending = bytearray()
        self._written = 0
        self._closed = False
        self.is_full = False
        """True once the reserve was needed: close soon."""
        try:
            self._allocate_reserve(reserve_bytes)
        except OSError:
            self.close()
            path.unlink()
            raise

    @property
    def pending(self) -> int:
        """Bytes that are not yet on their way to the disk."""
        return len(self._pending)

    def write(self, data: bytes) -> int:
        """Hold `data` back until the next `flush_records`; called by the MCAP writer."""
        self._pending += data
        return len(data)

    def tell(self) -> int:
        """Length of the file including what is held back [bytes]."""
        return self._written + len(self._pending)

    def flush(self) -> None:
        """Do nothing: the MCAP writer calls this, the episode writer decides."""

    def flush_records(self) -> None:
        """Write what is held back; it must end with a whole record. OSError when it cannot."""
        try:
            self._write_out()
        except OSError as error:
            if error.errno not in NO_SPACE or self.is_full:
                raise
            self.is_full = True
            self._reserve.unlink(missing_ok=True)
            self._write_out()

    def sync(self) -> None:
        """Write what is held back and wait until the disk has it."""
        self.flush_records()
        os.fsync(self._descriptor)

    def close(self) -> None:
        """Release the reserve and close, once; what is held back is dropped, `sync` before."""
        if not self._closed:
            self._closed = True
            os.close(self._descriptor)
            self._reserve.unlink(missing_ok=True)

    def _write_out(self) -> None:
        # A copy: a view of the buffer would live on in a caught error's traceback and lock it.
        rest = memoryview(bytes(self._pending))
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError:
            os.ftruncate(self._descriptor, self._written)
            os.lseek(self._descriptor, self._written, os.SEEK_SET)
            raise
        self._written += len(self._pending)
        self._pending.clear()

    def _allocate_reserve(self, size: int) -> None:
        descriptor = os.open(self._reserve, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            os.posix_fallocate(descriptor, 0, size)
        finally:
            os.close(descriptor)


def is_being_written(path: Path) -> bool:
    """Whether a DurableFile has `path` open, in this process or another."""
    with path.open('rb') as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
