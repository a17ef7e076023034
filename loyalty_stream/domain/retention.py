"""How long an account remembers keys, orders, closed holds and counters.

It must not touch points: lots and debt stay, however old.
"""

from loyalty_stream.domain import calendar, identity
from loyalty_stream.domain.account import KEY_BUCKET_MS, Account
from loyalty_stream.domain.events import SOURCE, Cause, PointEvent
from loyalty_stream.domain.journal import open_journal
from loyalty_stream.domain.notes import ForgottenNote
from loyalty_stream.domain.rules import Rules


def too_old(fact_ms: int, now: int, rules: Rules) -> bool:
    """Whether a fact of this time can no longer be told from a repeat, so that it must not be applied."""
    return fact_ms < now - rules.retention_ms


def forget(account: Account, subject: str, rules: Rules, now: int) -> list[PointEvent]:
    """Forget what is older than the retention, by whole buckets; so at most once in their sixteen weeks.

    It is enough to ask when `now` is in a bucket that the account has no causes in yet.
    """
    causes = account.causes
    bucket = (now - rules.retention_ms) // KEY_BUCKET_MS
    if not causes or min(causes) >= bucket:
        return []
    before = bucket * KEY_BUCKET_MS
    cause_id = f"forgotten:{before}"
    due = before + rules.retention_ms
    digest = identity.digest(subject, SOURCE, cause_id)
    journal = open_journal(
        account, subject, Cause(SOURCE, cause_id), calendar.to_datetime(due), due, now, digest
    )
    ended = tuple([campaign_id for campaign_id in account.campaigns if rules.book.ended(campaign_id, before)])
    note = ForgottenNote(before, calendar.local_day(before, rules.zone), ended)
    journal.remember("forgotten", note)
    return journal.close()
