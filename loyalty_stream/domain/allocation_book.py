"""What the owner of something limited keeps: how much is given, and to which requests.

Who comes first is served first (DOMAIN.md, Budget). It must not know what the thing is, nor any rule: a request
tells how much there is in all, by the rules of the event that asked.
"""

from loyalty_stream.domain.account import KEY_BUCKET_MS
from loyalty_stream.domain.allocation_records import Given, Served


def serve(given: Given, quantity: int, limit: int, *, partial: bool) -> int:
    """How much of `quantity` is given, of `limit` in all; noted in `given`.

    Without `partial` it is all or nothing. With a limit that was lowered below what is given away: nothing.
    """
    left = max(0, limit - given.quantity)
    served = min(quantity, left) if partial or quantity <= left else 0
    given.quantity += served
    return served


def take_back(given: Given, served: Served) -> int:
    """Return what a request was given, once; how much that was."""
    quantity = 0 if served.returned else served.given
    given.quantity -= quantity
    served.returned = True
    return quantity


def bucket_of(at: int) -> int:
    """The bucket of an instant in ms."""
    return at // KEY_BUCKET_MS
