"""The oracle's adjustments, grants by command, removed reviews, and the end of an account."""

from plain.book import amount_of, told

NAMES = {
    "HoldPoints": ("hold-points", "hold_id"),
    "ConfirmHold": ("confirm-hold", "hold_id"),
    "ReleaseHold": ("release-hold", "hold_id"),
    "RedeemReward": ("redeem-reward", "redemption_id"),
    "CancelRedemption": ("cancel-redemption", "redemption_id"),
    "EnterDraw": ("enter-draw", "entry_id"),
    "AdjustPoints": ("adjust-points", "adjustment_id"),
    "GrantPoints": ("grant-points", "grant_id"),
    "EraseCustomer": ("erase-customer", "request_id"),
}
"""Each command and the field that is its id."""


def once(book, *name):
    if name in book.ids:
        return False
    book.ids.add(name)
    return True


def adjusted(book, fact, _world):
    data = fact.data
    if ("adjustment", data.adjustment_id) in book.ids:
        return
    if data.points > 0:
        book.ids.add(("adjustment", data.adjustment_id))
        book.grant(data.points, "adjust-points")
    elif -data.points > book.available():
        book.reject("adjust-points", data.adjustment_id, "insufficient_points")
    else:
        book.ids.add(("adjustment", data.adjustment_id))
        taken = book.take(-data.points)
        book.say(
            "point-revoked", points=amount_of(taken), reason=data.reason, shortfall=0, grants=told(taken)
        )


def granted(book, fact, _world):
    if once(book, "grant", fact.data.grant_id):
        book.grant(fact.data.points, "grant-points")


def review_removed(book, fact, world):
    """What the review was granted goes back; one that was never published earns nothing when it comes."""
    review_id = fact.data.review_id
    if not once(book, "removed", review_id):
        return
    for review in book.reviews:
        if review["review_id"] == review_id and review["lots"]:
            book.revoke(sum(lot["granted"] for lot in review["lots"]), "review_removed", review["lots"])
    world.campaigns.undo_review(book, review_id)


def erased(book, fact, world):
    """Holds are given back, what is left is revoked, debt is let go, and that is the end."""
    book.ids = {("erased", fact.data.request_id)}
    for hold_id in sorted(name for name, hold in book.holds.items() if hold["state"] == "open"):
        book.give_back(hold_id, "erased")
    at, now = book.at, book.now
    world.expire_passed(book, now, at)
    book.begin(fact.source, fact.id, at, now)
    left = [(lot, lot["free"] + lot["pending"]) for lot in book.lots if lot["free"] or lot["pending"]]
    if left:
        for lot, _ in left:
            lot["free"] = lot["pending"] = 0
        book.say(
            "point-revoked",
            points=sum(part for _, part in left),
            reason="erased",
            shortfall=0,
            grants=told(left),
        )
    book.let_go += book.debt()
    world.mall.forget(book.customer)
    book.waiting, book.tier, book.erased = [], None, True
    book.seen = {(fact.source, fact.id)}  # nothing is kept of what was before, not even that it was seen


def after_the_end(book, fact):
    """Facts are passed over; commands are refused, but for the request itself come again."""
    name = type(fact).__name__
    if name not in NAMES:
        return
    command, field = NAMES[name]
    command_id = getattr(fact.data, field)
    if ("erased", command_id) not in book.ids or name != "EraseCustomer":
        book.reject(command, command_id, "account_erased")
