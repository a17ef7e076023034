"""An event's `time` as milliseconds, and how early or late it may be. It knows no clock."""

from typing import Final

from loyalty_stream.domain.calendar import to_ms as instant_ms

__all__ = ["YEAR_2000_MS", "YEAR_3000_MS", "instant_ms"]

YEAR_2000_MS: Final = 946_684_800_000
"""2000-01-01T00:00:00Z."""
YEAR_3000_MS: Final = 32_503_680_000_000
"""3000-01-01T00:00:00Z: beyond it no calendar arithmetic of an expiry is safe (datetime ends with 9999)."""
