"""An event's `time` as milliseconds, and how early or late it may be. It knows no clock."""

from datetime import UTC, datetime, timezone, tzinfo
from typing import Final

YEAR_2000_MS: Final = 946_684_800_000
"""2000-01-01T00:00:00Z."""
YEAR_3000_MS: Final = 32_503_680_000_000
"""3000-01-01T00:00:00Z: beyond it no calendar arithmetic of an expiry is safe (datetime ends with 9999)."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_AT: Final[dict[tzinfo | None, datetime]] = {}


def instant_ms(time: datetime) -> int:
    """Milliseconds since 1970 of an aware datetime, floored; integer arithmetic only, so it is exact.

    Subtracting datetimes of the very same tzinfo costs a tenth of the general case, and msgspec makes one
    object per offset; so the epoch is kept once for each offset (there are 2,879 at most).
    """
    zone = time.tzinfo
    epoch = _EPOCH_AT.get(zone)
    if epoch is None:
        epoch = _EPOCH
        if type(zone) is timezone:  # others have offsets that change, and arithmetic by the wall clock
            epoch = _EPOCH_AT[zone] = _EPOCH.astimezone(zone)
    since = time - epoch
    return since.days * 86_400_000 + since.seconds * 1_000 + since.microseconds // 1_000
