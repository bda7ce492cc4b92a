"""What all calibrations of a site have in common as files: a date, and what was there before."""

import datetime
from pathlib import Path

import yaml

MAX_AGE_DAYS = 90.0
"""An older calibration is warned of, unless a site says otherwise."""
CLOCKS_DIFFER_DAYS = 1.0
"""A date that lies further ahead is wrong."""


def age_warning(path: str | Path, days: float = MAX_AGE_DAYS) -> str:
    """Return why a calibration may be too old: made over `days` days ago, or nobody knows when.

    Empty if it is not, and of a file that cannot be read, which is its reader's to say.
    """
    try:
        stored = yaml.safe_load(Path(path).read_text())
    except (OSError, UnicodeError, yaml.YAMLError):
        return ''
    said = stored.get('date') if isinstance(stored, dict) else None
    if not said:
        return f'{path} does not say when it was made'
    try:
        made = datetime.datetime.fromisoformat(str(said))
    except ValueError:
        return f'{path} was made on {str(said)!r}, which is no date'
    made = made if made.tzinfo else made.replace(tzinfo=datetime.UTC)
    age_days = (datetime.datetime.now(datetime.UTC) - made).total_seconds() / 86400
    if age_days < -CLOCKS_DIFFER_DAYS:
        return f'{path} was made in the future, on {made:%Y-%m-%d}'
    return f'{path} is {age_days:.0f} days old' if age_days > days else ''


def today() -> str:
    """Return this second as a calibration says it: ISO 8601, UTC."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec='seconds')


def write_calibration(path: Path, text: str) -> None:
    """Write a calibration; the one before is kept beside it, with its date in its name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        made = datetime.datetime.fromtimestamp(path.stat().st_mtime, datetime.UTC)
        path.rename(path.with_name(f'{path.stem}-{made:%Y%m%dT%H%M%SZ}{path.suffix}'))
    path.write_text(text)
