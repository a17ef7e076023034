"""Points by command: corrections by hand, and grants of other stages and services (EVENTS.md, points-commands).

Each counts once by its own id, whatever the event's. Neither counts towards tiers. It must not know who sends them.
"""

from loyalty_stream.domain import grants, identity, lots
from loyalty_stream.domain.events import SOURCE, CommandRejected, PointRevoked
from loyalty_stream.domain.facts import AdjustPoints, GrantPoints
from loyalty_stream.domain.fold_points import ADJUSTMENT, GRANT
from loyalty_stream.domain.journal import Journal
from loyalty_stream.domain.notes import KeyNote
from loyalty_stream.domain.rules import Rules


def decide_adjust_points(journal: Journal, fact: AdjustPoints, rules: Rules) -> None:
    """Grant or revoke by hand, and say who did it and why; never more is taken than is available.

    A refused adjustment may be sent again.
    """
    data = fact.data
    account = journal.account
    if identity.remembers(account.keys, identity.business_key(ADJUSTMENT, data.adjustment_id)):
        journal.remember("key", KeyNote())
        return
    if data.points > 0:
        grants.grant(
            journal,
            rules,
            points=data.points,
            rule=ADJUSTMENT,
            reason=data.reason,
            command_id=data.adjustment_id,
            operator=data.operator,
        )
        return
    points = -data.points
    if points > account.available:
        journal.record(
            CommandRejected(
                command=ADJUSTMENT,
                command_id=data.adjustment_id,
                code="insufficient_points",
                message=f"{points} points to be taken, {account.available} available",
            )
        )
        return
    journal.record(
        PointRevoked(
            points=points,
            reason=data.reason,
            grants=lots.in_spending_order(account, points, journal.now),
            shortfall=0,
            command_id=data.adjustment_id,
            operator=data.operator,
        )
    )


def decide_grant_points(journal: Journal, fact: GrantPoints, rules: Rules) -> None:
    """Grant what another stage or service asks for.

    A repeat of our own makes no event: our own causes are remembered by no key, so it would have the id of the first.
    """
    data = fact.data
    if not identity.remembers(journal.account.keys, identity.business_key(GRANT, data.grant_id)):
        grants.grant(
            journal, rules, points=data.points, rule=GRANT, reason=data.reason, command_id=data.grant_id
        )
    elif fact.source != SOURCE:
        journal.remember("key", KeyNote())
