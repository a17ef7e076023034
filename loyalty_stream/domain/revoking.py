"""Taking points back: from which lots, and what becomes of what cannot be taken (DOMAIN.md, Refunds).

It must not know why grants are taken back nor by how much; refunds, removed reviews and campaigns say so.
"""

from collections.abc import Collection, Sequence
from typing import Literal, TypeAlias

from loyalty_stream.domain import lots
from loyalty_stream.domain.events import PointRevoked, Revoked
from loyalty_stream.domain.journal import Journal
from loyalty_stream.domain.rules import Rules

Reason: TypeAlias = Literal["refund", "cancellation", "campaign", "review_removed"]


def revoke(
    journal: Journal,
    rules: Rules,
    *,
    reason: Reason,
    revokes: Sequence[Revoked],
    own: Collection[str] = (),
    order_id: str | None = None,
    campaign_id: str | None = None,
) -> None:
    """Take back what `revokes` adds up to, in points; nothing where that is 0.

    Points are taken first from the lots of the grants in `own`, pending before available, then in spending order;
    held points are never taken. What is missing is owed, or let go with `clamp`.
    """
    asked = sum(each.points for each in revokes)
    if asked == 0:
        return
    taken = lots.to_take_back(journal.account, asked, journal.now, own, journal.at)
    points = lots.total(taken)
    shortfall = asked - points
    journal.record(
        PointRevoked(
            points=points,
            reason=reason,
            grants=taken,
            shortfall=shortfall,
            order_id=order_id,
            campaign_id=campaign_id,
            owed=shortfall if rules.refunds.shortfall == "debt" else 0,
            revokes=tuple(revokes),
        )
    )
