"""The oracle: facts one after the other under the event clock of `simulate`, and what comes of each.

Written from DOMAIN.md and EVENTS.md alone, separately from the domain and as plainly as possible. Of the
package it knows the types of facts and rules, nothing else.
"""

from loyalty_stream.domain.announcements import CampaignPublished, CampaignWithdrawn, DrawSeedRevealed
from loyalty_stream.domain.facts import (
    ActivityAttended,
    AdjustPoints,
    CancelRedemption,
    CheckedIn,
    ConfirmHold,
    CustomerRegistered,
    CustomerUpdated,
    EnterDraw,
    EraseCustomer,
    GamePlayed,
    GrantPoints,
    HoldPoints,
    OrderCancelled,
    OrderCompleted,
    OrderPaid,
    OrderRefunded,
    RedeemReward,
    ReleaseHold,
    ReviewPublished,
    ReviewRemoved,
    ShareCompleted,
    SurveySubmitted,
)
from plain import commands, earning, orders, when
from plain.book import FOREVER, Book
from plain.campaigns import Campaigns
from plain.mall import Mall
from plain.tiers import Tiers

OWN = "loyalty-stream"
ANNOUNCED = (CampaignPublished, CampaignWithdrawn, DrawSeedRevealed)


def hold(book, fact, world):
    data = fact.data
    book.hold(data.hold_id, data.points, order_id=data.order_id, order_amount=data.order_amount)
    if data.hold_id in book.holds or data.hold_id in book.refused_holds:
        world.apply_waiting(book, [each for each in book.waiting if each.get("hold") == data.hold_id])


def confirm(book, fact, _world):
    book.confirm(fact.data.hold_id)


def release(book, fact, _world):
    book.release(fact.data.hold_id)


DECIDE = {
    OrderPaid: orders.paid,
    OrderCompleted: orders.completed,
    OrderCancelled: orders.cancelled,
    OrderRefunded: orders.refunded,
    CustomerRegistered: earning.registered,
    CustomerUpdated: earning.updated,
    ReviewPublished: earning.reviewed,
    ShareCompleted: earning.shared,
    CheckedIn: earning.checked_in,
    GamePlayed: earning.played,
    SurveySubmitted: earning.surveyed,
    ActivityAttended: earning.attended,
    HoldPoints: hold,
    ConfirmHold: confirm,
    ReleaseHold: release,
    ReviewRemoved: commands.review_removed,
    AdjustPoints: commands.adjusted,
    GrantPoints: commands.granted,
    EraseCustomer: commands.erased,
    RedeemReward: lambda book, fact, world: world.mall.redeem(book, fact),
    CancelRedemption: lambda book, fact, world: world.mall.cancel(book, fact),
    EnterDraw: lambda book, fact, world: world.mall.enter(book, fact),
}


class World:
    def __init__(self, rules, grant_ids=None, entry_ids=None):
        self.rules = rules
        self.entry_ids = {} if entry_ids is None else entry_ids
        """Customer and label of an awarded entry -> its id, where it is known."""
        self.grant_ids = {} if grant_ids is None else grant_ids
        """Customer and label of a lot -> the id of its grant, where it is known."""
        self.clock = 0
        self.falls_after = 0
        """Tiers that fall by time have fallen up to this instant."""
        self.books = {}
        self.commands = []
        """What a line sets off in other accounts at once."""
        self.to_do = []
        """What it asks of the owners of budgets and stock, whose answers come after that; all before the next line."""
        self.tiers = Tiers(rules)
        self.campaigns = Campaigns(rules, self)
        self.mall = Mall(rules, self)

    # -- one line --------------------------------------------------------------------------------------

    def line(self, fact):
        """Apply a fact; returns the events of what fell due before it and of the fact, and whether it is bad."""
        before = {customer: len(book.events) for customer, book in self.books.items()}
        at = when.ms_of(fact.time)
        if at < self.clock - self.rules.retention_ms:
            return [], True
        self.bad = False
        if isinstance(fact, ANNOUNCED):
            self.announce(fact, at)
        else:
            self.advance(at)
            self.apply(fact, at)
        while self.commands or self.to_do:
            (self.commands or self.to_do).pop(0)()
        made = [
            event for customer, book in self.books.items() for event in book.events[before.get(customer, 0) :]
        ]
        return made, self.bad

    def announce(self, fact, at):
        """What is told to all: what is wrong does not even move the clock."""
        if isinstance(fact, DrawSeedRevealed):
            campaign_id, seed = fact.data.campaign_id, fact.data.seed
            self.bad = not self.mall.may_reveal(campaign_id, seed, at)
            if not self.bad:
                self.mall.revealed.add(campaign_id)
                self.advance(at)
                self.mall.draw(campaign_id, seed, at)
        else:
            self.bad = not self.campaigns.announce(fact, at)
            if not self.bad:
                self.advance(at)

    def book(self, customer):
        if customer not in self.books:
            self.books[customer] = Book(customer, self.rules, self.grant_ids)
        return self.books[customer]

    def apply(self, fact, at):
        book = self.book(fact.subject)
        if (fact.source, fact.id) in book.seen:
            return
        if orders.refusal(book, fact):
            self.bad = True
            return
        if book.erased:
            book.seen.add((fact.source, fact.id))
            book.begin(fact.source, fact.id, at, self.clock)
            commands.after_the_end(book, fact)
            return
        book.seen.add((fact.source, fact.id))
        book.begin(fact.source, fact.id, at, self.clock)
        DECIDE[type(fact)](book, fact, self)
        self.settle_late(book, at)

    def apply_waiting(self, book, these):
        for each in these:
            book.waiting.remove(each)
            fact = each["fact"]
            book.begin(fact.source, fact.id, when.ms_of(fact.time), book.now)
            orders.apply_paid(book, fact, self)

    def first_purchase(self, book):
        self.referral(book)

    def referral(self, book):
        """The referrer is paid once the referred customer has purchased."""
        points = self.rules.referrer_points
        if not points or book.referred_by is None or book.referral_paid:
            return
        if any(order["first"] for order in book.orders):
            book.referral_paid = True
            told = (book.referred_by, f"referral:{book.customer}", points, book.at)
            self.commands.append(lambda: self.reward(*told))

    def reward(self, referrer, grant_id, points, at):
        """The command that pays a referrer, in the referrer's own account."""
        book = self.book(referrer)
        book.begin(OWN, grant_id, at, self.clock)
        if book.erased:
            book.reject("grant-points", grant_id, "account_erased")
            return
        book.grant(points, "grant-points")
        self.settle_late(book, at)

    # -- time ------------------------------------------------------------------------------------------

    def advance(self, time):
        """Do what falls due up to `time` over all customers, in the order of its instant, then of their ids."""
        while self.books:
            due, book = min(
                ((self.next_due(book), book) for book in self.books.values()),
                key=lambda each: (each[0][0], each[1].customer),
            )
            if due[0] > time:
                break
            self.clock = max(self.clock, due[0])
            self.falls_after = self.clock - 1
            self.do_due(book, due[3], self.clock, self.clock)
        self.clock = self.falls_after = max(self.clock, time)

    def settle_late(self, book, at):
        """After something of the time `at`: what it brought about and is past its date, and what is due already."""
        self.expire_passed(book, self.clock, at)
        self.settle(book, at)

    def settle(self, book, since):
        """Do what a late fact brought about and is due already, no earlier than the fact."""
        instant = since
        while (due := self.next_due(book))[0] <= self.clock:
            instant = max(instant, due[0])
            self.do_due(book, due[3], instant, self.clock)

    def next_due(self, book):
        """The first thing that falls due by time alone: when, and what."""
        return min(self.dues(book), key=lambda due: due[:3], default=(FOREVER, 0, "", None))

    def dues(self, book):
        for lot in book.lots:
            if (lot["free"] or lot["pending"]) and book.expiry_of(lot) < FOREVER:
                yield book.expiry_of(lot), 0, lot["sort"], ("expire", lot)
            if lot["pending"] and lot["available_at"] < FOREVER:
                yield lot["available_at"], 1, lot["sort"], ("activate", lot)
        for date, notice, at in self.warnings(book):
            yield at, 2, (date, notice.text), ("warn", date, notice)
        for hold_id, each in book.holds.items():
            if each["state"] == "open":
                yield each["due"], 3, hold_id, ("time out", hold_id)
        for each in book.waiting:
            yield each["due"], 4, each["fact"].data.order_id, ("waited", each)
        fall = self.tiers.next_fall(book, max(self.falls_after, book.tier_since))
        if fall < FOREVER:
            yield fall, 5, "", ("fall",)

    def warnings(self, book):
        """Dates of free points that were earned before the notice began, and of which no warning is out."""
        for date in {book.expiry_of(lot) for lot in book.lots if lot["free"]} - {FOREVER}:
            for notice in self.rules.expiry.warn_before:
                at = when.moved(date, notice, self.rules.zone, -1)
                early = [
                    lot
                    for lot in book.lots
                    if lot["free"] and book.expiry_of(lot) == date and book.dated_since(lot) < at
                ]
                if early and (date, notice.text) not in book.warned:
                    yield date, notice, at

    def do_due(self, book, due, instant, now):
        what, *about = due
        if what == "expire":
            self.expire(book, about[0], instant)
            return
        book.begin(OWN, what, instant, instant)
        if what == "activate":  # and all that is ready by then: nobody is warned of a part of it
            ready = [lot for lot in book.lots if lot["pending"] and lot["available_at"] <= instant]
            for lot in sorted(ready, key=lambda lot: (lot["available_at"], lot["sort"])):
                orders.activate(book, lot)
        elif what == "warn":
            date, notice = about
            points = sum(lot["free"] for lot in book.lots if book.expiry_of(lot) == date)
            book.warned.add((date, notice.text))
            book.say("point-expiring", points=points, expires_at=date, notice=notice.text)
        elif what == "time out":  # all that are due by now, before what they give back expires
            due_by_now = [
                hold_id
                for hold_id, hold in book.holds.items()
                if hold["state"] == "open" and hold["due"] <= instant
            ]
            for hold_id in sorted(due_by_now):
                book.give_back(hold_id, "timed_out")
        elif what == "fall":
            self.tiers.settle(book, falls=True)
        elif about[0]["kind"] == "paid":
            book.begin(OWN, what, instant, now)
            self.apply_waiting(book, about)
        else:
            book.waiting.remove(about[0])
        self.expire_passed(book, now, instant)

    def expire_passed(self, book, now, since):
        """What came or came back after its date expires at once: it is never spent, and nobody is warned of it."""
        passed = [lot for lot in book.lots if (lot["free"] or lot["pending"]) and book.expiry_of(lot) <= now]
        for lot in sorted(passed, key=lambda lot: (book.expiry_of(lot), lot["sort"])):
            self.expire(book, lot, max(book.expiry_of(lot), since))

    def expire(self, book, lot, time):
        points, date = lot["free"] + lot["pending"], book.expiry_of(lot)
        lot["free"] = lot["pending"] = 0
        book.begin(OWN, "expired", time, time)
        book.say("point-expired", label=lot["label"], points=points, expires_at=date)
