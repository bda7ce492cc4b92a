"""What all calibrations of a site have in common as files: a date, and what was there before."""

import datetime
from pathlib import Path

import yaml

MAX_AGE_DAYS = 90.0
"""An older calibration is warned of, unless a site says otherwise."""


def calibration_date(path: str | Path) -> datetime.datetime | None:
    """Return when a calibration was made; None if it does not say, as one made by hand."""
    try:
        stored = yaml.safe_load(Path(path).read_text())
        date = datetime.datetime.fromisoformat(str(stored['date']))
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=datetime.UTC)


def older_than(path: str | Path, days: float = MAX_AGE_DAYS) -> str:
    """Return that a calibration was made more than `days` days ago; empty if it was not."""
    made = calibration_date(path)
    if made is None:
        return ''
    age_days = (datetime.datetime.now(datetime.UTC) - made).total_seconds() / 86400
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
