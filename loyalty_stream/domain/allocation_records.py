"""What is kept of a limited thing and of each request for it, as it is stored; `allocation_book` says how it is shared.

Structs stand apart from what is compiled.
"""

from msgspec import Struct


class Given(Struct, array_like=True, gc=False, tag="given"):
    """How much of a resource is given away and not returned."""

    quantity: int = 0


class Served(Struct, array_like=True, gc=False, tag="served"):
    """A request that was answered: what it was given, 0 once that is returned; and when it asked.

    Kept so that a repeat gets the same answer and takes nothing, and that it can be returned once.
    """

    given: int
    asked_bucket: int
    """The time of the event that asked, in `KEY_BUCKET_MS`: requests are forgotten by the bucket."""
    returned: bool = False
