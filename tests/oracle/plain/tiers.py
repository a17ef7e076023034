"""The oracle's tiers: recomputed from all grants and orders each time they are asked for (DOMAIN.md, Tiers)."""

from plain import when
from plain.book import FOREVER
from plain.orders import net


class Tiers:
    def __init__(self, rules):
        self.rules = rules.tiers
        self.zone = rules.zone

    def counted(self, book):
        """What counts towards a tier: when it came, and how much is left of it."""
        for order in book.orders:
            if self.rules.basis == "spend":
                yield order["at"], net(order) - sum(line["refunded"] for line in order["lines"])
            else:
                for earned in order["earned"]:
                    if earned.get("tier"):
                        yield order["at"], earned["points"] - earned["revoked"]

    def leaves(self, at):
        """When something leaves the window."""
        return FOREVER if self.rules.window is None else when.moved(at, self.rules.window, self.zone)

    def level(self, book, now):
        """The place of the level at this time, -1 below the first."""
        total = sum(points for at, points in self.counted(book) if now < self.leaves(at))
        return max(
            [place for place, level in enumerate(self.rules.levels) if total >= level.minimum], default=-1
        )

    def place(self, book):
        names = [level.name for level in self.rules.levels]
        return names.index(book.tier) if book.tier in names else -1

    def earned(self, book):
        """What is earned lowers nothing; a tier that ends at this very instant ends after all that waited for it."""
        self.settle(book, falls=False)

    def lowered(self, book, order):
        """After a refund; that of an order which had left the window lowers nothing."""
        counts = book.now < self.leaves(order["at"])
        self.settle(book, falls=counts and self.rules.downgrade == "immediate")

    def settle(self, book, *, falls):
        """Rise at once to where the points are; fall only if it is time."""
        if not self.rules.levels:
            return
        to, now = self.level(book, book.now), self.place(book)
        if to > now or (falls and to < now):
            name = self.rules.levels[to].name if to >= 0 else None
            book.say("tier-changed", **{"from": book.tier, "to": name})
            book.tier = name
            book.tier_since = book.now

    def next_fall(self, book, after):
        """The first instant after `after` at which the tier falls by time alone."""
        if book.tier is None:
            return FOREVER
        leaving = sorted(leaves for at, _ in self.counted(book) if (leaves := self.leaves(at)) != FOREVER)
        if self.rules.downgrade == "immediate":
            instants = [leaves for leaves in leaving if leaves > after]
        else:
            first = when.day_of(after, self.zone).year
            last = max(first, when.day_of(leaving[-1], self.zone).year if leaving else first)
            begins = [when.year_begins(year, self.zone) for year in range(first, last + 2)]
            instants = [instant for instant in begins if instant > after]
        return next(
            (instant for instant in instants if self.level(book, instant) < self.place(book)), FOREVER
        )
