"""Whether a sound event can be applied here and now, or which reason code sets it aside. It changes nothing."""

from typing import Final

from loyalty_stream.domain import decide, purchase, refunds
from loyalty_stream.domain.account import Account
from loyalty_stream.domain.calendar import DAY_MS
from loyalty_stream.domain.events import SOURCE
from loyalty_stream.domain.facts import MAX_AMOUNT, GrantPoints, OrderPaid, OrderRefunded
from loyalty_stream.domain.rules import Rules
from loyalty_stream.wire import decode as wire
from loyalty_stream.wire.partitioning import partition_of
from loyalty_stream.wire.reasons import Reason

OWN_COMMANDS: Final = frozenset({GrantPoints})
"""What the ledger itself puts on its input topics; it has been checked, and is never too old: nobody sends it again."""


class Admission:
    """The entrance of one partition of the ledger, of `partitions` in all."""

    __slots__ = ("_partition", "_partitions")

    def __init__(self, partition: int, partitions: int) -> None:
        self._partition = partition
        self._partitions = partitions

    def unfit(  # noqa: PLR0911 - one for each reason
        self, rules: Rules, time: int, key: bytes, event: wire.Decoded, *, is_new: bool
    ) -> tuple[Reason, str] | None:
        """Why the event cannot be applied at the partition's `time` (ms), or None; `is_new`: has no account yet."""
        fact = event.fact
        if is_new:
            # A key's partition never changes, so it is looked at when the account is first met.
            right = partition_of(key, self._partitions)
            if right != self._partition:
                return (
                    Reason.WRONG_PARTITION,
                    f"murmur2 puts this key on partition {right} of {self._partitions}",
                )
        if type(fact) is OrderPaid:
            data = fact.data
            if not purchase.accepts(data, rules):
                return Reason.WRONG_CURRENCY, f"`$.data.currency`: the programme's is {rules.currency}"
            lines = data.lines
            if len(lines) > 1 and sum(line.amount for line in lines) > MAX_AMOUNT:
                return Reason.AMOUNT_TOO_LARGE, f"`$.data.lines`: together over {MAX_AMOUNT} minor units"
        if fact.source == SOURCE:
            if type(fact) in OWN_COMMANDS:
                return None
            return (
                Reason.OUT_OF_RANGE,
                f"`$.source`: {SOURCE} is what our own events say; name yours otherwise",
            )
        if decide.too_old(event.at_ms, time, rules):
            return (
                Reason.TOO_OLD,
                f"`$.time`: more than {rules.retention_ms // DAY_MS} days before the latest event",
            )
        return None


def beyond(account: Account, fact: OrderRefunded) -> str | None:
    """Why a refund is more than is left of its order by now, or None, as for one that was applied already.

    An account that has ended answers no fact, and this one neither.
    """
    if account.erased_at or decide.is_known(account, fact):
        return None
    return refunds.excess(account, fact.data)
