"""A folder of files that knows whether they are still what was written.

safetensors and JSON notice a file that is cut short, but not a bit that has flipped in a number.
"""

import hashlib
from pathlib import Path

from ibc_contract.errors import IbcError

SUMS = 'sha256sums.txt'
"""Lines of digest and name, as `sha256sum` writes and checks them."""


class DamagedFile(IbcError):
    """A file cannot be read, or is not what was written; names it."""


def write_checksums(folder: Path) -> None:
    """Note the digest of every file of `folder`."""
    names = sorted(_files(folder))
    lines = [f'{_digest(folder / name)}  {name}\n' for name in names]
    (folder / SUMS).write_text(''.join(lines))


def require_unchanged(folder: Path) -> None:
    """Compare all files of `folder` with their digests.

    Raises:
        DamagedFile: One is missing or has changed, or the digests have.
    """
    sums = folder / SUMS
    try:
        written = dict(line.split()[::-1] for line in sums.read_text().splitlines())
        present = _files(folder)
        changed = sorted(
            name for name in written.keys() & present if _digest(folder / name) != written[name]
        )
    except (OSError, ValueError) as error:
        raise DamagedFile(f'{sums}: damaged: {error}') from None
    for name in sorted(written.keys() - present):
        raise DamagedFile(f'{folder / name}: is missing')
    for name in sorted(present - written.keys()):
        raise DamagedFile(f'{sums}: damaged: does not list {name}')
    for name in changed:
        raise DamagedFile(f'{folder / name}: damaged: is not what was written')


def _files(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()} - {SUMS}


def _digest(file: Path) -> str:
    with file.open('rb') as stream:
        return hashlib.file_digest(stream, 'sha256').hexdigest()
