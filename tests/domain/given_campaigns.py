"""What tests of campaigns start from: DOMAIN.md's week, and rules with campaigns in them."""

from typing import Any

import msgspec

from loyalty_stream.domain.rules import Award, Campaign, Rules, Trigger, Withdrawal
from tests.domain.given import PLAIN, ms

THREE_HUNDRED = Award(points=300)


def campaign(
    campaign_id: str,
    *,
    version: int = 1,
    trigger: Trigger = "purchase",
    award: Award = THREE_HUNDRED,
    starts: str = "2026-03-01 00:00",
    ends: str = "2026-03-08 00:00",
    effective: str = "",
    **more: Any,
) -> Campaign:
    """A campaign for everyone, in one order, without minimum, limit and budget unless told otherwise."""
    return Campaign(
        id=campaign_id,
        version=version,
        theme=campaign_id,
        mode="online",
        starts_at_ms=ms(starts),
        ends_at_ms=ms(ends),
        trigger=trigger,
        award=award,
        effective_at_ms=ms(effective) if effective else 0,
        **more,
    )


def with_campaigns(*told: Campaign | Withdrawal, rules: Rules = PLAIN) -> Rules:
    return msgspec.structs.replace(rules, campaigns=told)
