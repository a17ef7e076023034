"""Asking for what is limited across customers: stock, budgets (ARCHITECTURE.md, What is limited across customers).

An account asks by a note in one of its events and goes on; the resource's only owner answers by an event of its
own, which `decide` hands to whoever asked. It must not know what is asked for, nor who the owner is.
"""

from loyalty_stream.domain.account import Asked
from loyalty_stream.domain.facts import AllocationAnswered
from loyalty_stream.domain.journal import Journal
from loyalty_stream.domain.notes import AnswerNote, AskNote, Purpose, ReturnNote


def budget_of(campaign_id: str) -> str:
    """The resource that is a campaign's budget, in points."""
    return f"budget:{campaign_id}"


def stock_of(reward_id: str) -> str:
    """The resource that is a reward's stock, in pieces."""
    return f"stock:{reward_id}"


def draw_of(campaign_id: str) -> str:
    """What is named where a draw's entries are collected."""
    return f"draw:{campaign_id}"


def ask(
    journal: Journal, resource: str, quantity: int, *, limit: int, partial: bool, purpose: Purpose
) -> str:
    """Ask the owner of `resource` for `quantity` of the `limit` that there are in all; returns the request's id.

    The limit is what the rules say for this event, so that the owner need not know any: it never gives beyond
    it. With `partial` less than the quantity may be given, otherwise all or nothing. The answer is decided for
    `purpose`, which must hold all that is needed then: the rules may have changed. The note rides on the next
    event that is recorded, whose id is the request's.
    """
    journal.close()
    request_id = journal.next_id()
    journal.remember("ask", AskNote(request_id, resource, quantity, limit, purpose, partial))
    return request_id


def give_back(journal: Journal, request_id: str, resource: str) -> None:
    """Give back all that the request got or will get; an answer to it that is still to come changes nothing."""
    journal.remember("return", ReturnNote(request_id, resource))


def answered(journal: Journal, fact: AllocationAnswered) -> Purpose | None:
    """What the answer is for; None where it is not waited for (any more), and nothing is to be recorded."""
    asked = journal.account.asked.get(fact.data.request_id)
    if asked is None:
        return None
    journal.remember("answer", AnswerNote(fact.data.request_id, fact.data.given))
    return asked.purpose


def return_all(journal: Journal) -> None:
    """Give back everything that is asked for and not answered, because nobody is there to take it any more."""
    waited_for: dict[str, Asked] = dict(sorted(journal.account.asked.items()))
    for request_id, asked in waited_for.items():
        give_back(journal, request_id, asked.resource)
