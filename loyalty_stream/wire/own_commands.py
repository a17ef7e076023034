"""What the ledger says to itself on `points-commands`, for accounts on other partitions. It knows no account."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

import msgspec
from msgspec import Struct

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


class ReferrerNamed(Struct, frozen=True, gc=False, tag_field="type", tag="referrer-named"):
    """To the partition of a customer who referred another: `alias` is what they are called by on the other's side."""

    subject: str
    alias: str


REFERRER_NAMED: Final = b'{"type":"referrer-named"'
"""What its bytes begin with."""
encode_referrer_named: Final[Callable[[ReferrerNamed], bytes]] = msgspec.json.Encoder().encode
decode_referrer_named: Final[Callable[[bytes], ReferrerNamed]] = msgspec.json.Decoder(ReferrerNamed).decode
"""Read it; msgspec.DecodeError says what is wrong."""
