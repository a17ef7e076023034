"""The commands that the ledger gives itself, for accounts on other partitions. It knows no account."""

from datetime import datetime

import msgspec

from loyalty_stream.domain.events import SOURCE
from loyalty_stream.domain.facts import GrantPoints, GrantPointsData


def grant_points(
    command_id: str, customer: str, time: datetime, *, grant_id: str, points: int, reason: str
) -> bytes:
    """A `grant-points` for `customer`, at the time of what caused it."""
    data = GrantPointsData(grant_id=grant_id, points=points, reason=reason)
    command = GrantPoints(
        specversion="1.0", id=command_id, source=SOURCE, subject=customer, time=time, data=data
    )
    return msgspec.json.encode(command)
