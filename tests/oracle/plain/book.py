"""One customer as the oracle sees them: lists of what happened, and points in lots. Plain, slow, never clever.

From DOMAIN.md and EVENTS.md alone: lots, spending order, debt, holds.
"""

from base64 import urlsafe_b64encode
from hashlib import blake2b

from plain import when

FOREVER = float("inf")


class Book:
    def __init__(self, customer, rules, grant_ids):
        self.customer = customer
        self.rules = rules
        self.zone = rules.zone
        self.events = []
        self.seen = set()
        self.lots = []
        self.grant_ids = grant_ids
        self.label_counts = {}
        self.holds = {}
        self.orders = []
        self.waiting = []
        self.warned = set()
        self.reviews = []
        self.removed_reviews = set()
        self.counted = []
        self.check_in_days = set()
        self.registered_at = None
        self.segments = ()
        self.referred_by = None
        self.surveys = set()
        self.ids = set()
        self.active_at = self.idle_until = 0
        self.tier = None
        self.tier_since = 0
        self.awards = []
        self.redemptions = {}
        self.entries = []
        self.gifts = []
        self.refused_holds = set()
        self.erased = False
        self.let_go = 0
        self.referral_paid = False
        self.cause = None

    # -- what is going on ------------------------------------------------------------------------------

    def begin(self, source, cause_id, at, now):
        """From here on events have this cause and time; `now` is the latest time seen."""
        digest = blake2b(f"{self.customer}\n{source}\n{cause_id}".encode(), digest_size=9).digest()
        self.cause = {
            "source": source,
            "id": cause_id,
            "at": at,
            "now": now,
            "stem": urlsafe_b64encode(digest).decode(),
        }

    @property
    def at(self):
        return self.cause["at"]

    @property
    def now(self):
        return self.cause["now"]

    def say(self, event_type, /, **fields):
        event = {"type": event_type, "time": self.at, "customer": self.customer}
        if self.cause["source"] != "loyalty-stream":
            event["cause"] = self.cause["id"]
        event.update({name: value for name, value in fields.items() if value is not None})
        self.events.append(event)
        return event

    def reject(self, command, command_id, code):
        self.say("command-rejected", command=command, command_id=command_id, code=code)

    # -- what it adds up to ----------------------------------------------------------------------------

    def total(self, kind):
        return sum(event["points"] for event in self.events if event["type"] == kind)

    def available(self):
        return sum(lot["free"] for lot in self.lots)

    def pending(self):
        return sum(lot["pending"] for lot in self.lots)

    def held(self):
        return sum(lot["held"] for lot in self.lots)

    def debt(self):
        """What is owed for points that could not be taken, less what was repaid."""
        owed = sum(event.get("owed", 0) for event in self.events)
        return (
            owed
            - self.let_go
            - sum(event["points"] for event in self.events if event.get("reason") == "debt_repaid")
        )

    def summary(self):
        return {
            "customer": self.customer,
            "available": self.available(),
            "pending": self.pending(),
            "held": self.held(),
            "debt": self.debt(),
            "tier": self.tier,
            "granted": self.total("point-granted"),
            "redeemed": self.total("point-redeemed"),
            "expired": self.total("point-expired"),
            "revoked": self.total("point-revoked"),
            "restored": self.total("point-restored"),
        }

    # -- lots ------------------------------------------------------------------------------------------

    def expiry_of(self, lot):
        """When the lot's points expire; FOREVER for never."""
        return lot["expires_at"]

    def active(self):
        """The customer earns or spends: under `inactivity` all points get one later date."""
        if self.rules.expiry.policy != "inactivity":
            return
        self.active_at = max(self.active_at, self.at)
        self.idle_until = max(self.idle_until, self.period_later(self.at))
        for lot in self.lots:
            lot["expires_at"] = max(lot["expires_at"], self.idle_until)

    def dated_since(self, lot):
        """Since when the lot has had its date: nobody is warned of what had begun before."""
        moved = self.active_at if lot["expires_at"] == self.idle_until else 0
        return max(lot["earned_at"], moved)

    def date_to_restore(self, lot, date):
        """With which date spent points come back: theirs, or that of their lot or of all others since."""
        last = lot["expires_at"] if lot["free"] or lot["held"] or lot["pending"] else 0
        return max(date, last, self.idle_until)

    def period_later(self, at):
        expiry = self.rules.expiry
        return when.rounded_up(when.moved(at, expiry.period, self.zone), expiry.round_to, self.zone)

    def date_for(self, at):
        """The `expires_at` of points earned now."""
        match self.rules.expiry.policy:
            case "never":
                return FOREVER
            case "inactivity":
                return max(self.period_later(at), self.idle_until)
            case "rolling":
                return self.period_later(at)
            case "calendar_year":
                return when.year_begins(when.day_of(at, self.zone).year + 2, self.zone)

    def in_order(self, now=None):
        """Lots with free points that can be spent: expires first, earned first, by id."""
        usable = [lot for lot in self.lots if lot["free"] and (now is None or self.expiry_of(lot) > now)]
        return sorted(usable, key=self.spending_order)

    def spending_order(self, lot):
        return self.expiry_of(lot), lot["earned_at"], lot["sort"]

    def grant(
        self, points, rule, *, order=None, campaign=None, cut=False, version=None, available_at=None, **told
    ):
        """A new lot; what is owed is taken from it before it can be spent."""
        if points == 0:
            return None
        cause = self.cause
        own = cause["source"] == "loyalty-stream"
        name = f"own/{rule}/{self.at}" if own else f"{cause['id']}/{rule}"
        count = self.label_counts[name] = self.label_counts.get(name, -1) + 1
        made = len([each for each in self.lots if each["stem"] == cause["stem"]])
        lot = {
            "label": f"{name}/{count}",
            "sort": self.grant_ids.get((self.customer, f"{name}/{count}"), f"{cause['stem']}.{made}"),
            "stem": cause["stem"],
            "earned_at": self.at,
            "expires_at": self.date_for(self.at),
            "available_at": self.at if available_at is None else available_at,
            "free": 0,
            "held": 0,
            "pending": 0,
            "order": None if order is None else order["order_id"],
            "rule": rule,
            "granted": points,
            "revoked": 0,
        }
        pending = lot["available_at"] > self.at
        lot["pending" if pending else "free"] = points
        self.lots.append(lot)
        expires = lot["expires_at"]
        self.active()
        self.say(
            "point-granted",
            points=points,
            rule=rule,
            cut=cut,
            order_id=lot["order"],
            campaign_id=campaign,
            available_at=None if lot["available_at"] == FOREVER else lot["available_at"],
            expires_at=None if expires == FOREVER else expires,
            label=lot["label"],
            rule_version=version or self.rules.version,
            **told,
        )
        self.repay()
        return lot

    def take(self, points):
        """Take free points in spending order; says from which lots, and may take less than asked."""
        taken = []
        for lot in self.in_order(self.now):
            part = min(points, lot["free"])
            if part:
                lot["free"] -= part
                points -= part
                taken.append((lot, part))
        return taken

    def forfeit(self, lot, points):
        """What comes back after its date expires with what gives it back, no earlier than that was."""
        cause = self.cause
        time = max(self.at, self.expiry_of(lot))
        lot["free"] -= points
        self.begin("loyalty-stream", "expired", time, time)
        self.say("point-expired", label=lot["label"], points=points, expires_at=self.expiry_of(lot))
        self.cause = cause

    def take_back(self, points, own=()):
        """Take points that a revocation asks for: from the lots given first, pending before available, then in
        spending order, free or pending."""
        mine = [lot for lot in self.lots if any(lot is each for each in own)]
        others = [lot for lot in self.lots if not any(lot is each for each in own)]
        order = [(lot, "pending") for lot in sorted(mine, key=self.spending_order)]
        order += [(lot, "free") for lot in sorted(mine, key=self.spending_order)]
        order += [
            (lot, kind) for lot in sorted(others, key=self.spending_order) for kind in ("free", "pending")
        ]
        taken = []
        for lot, kind in order:
            # What was granted late is taken back as if in time: if it had not expired by the time of the refund.
            then = self.at if any(lot is each for each in own) else self.now
            part = min(points, lot[kind]) if self.expiry_of(lot) > then else 0
            if part:
                lot[kind] -= part
                points -= part
                taken.append((lot, part))
        return taken

    def repay(self):
        owed = self.debt()
        taken = self.take_back(owed) if owed else []
        if taken:
            self.say(
                "point-revoked",
                points=amount_of(taken),
                reason="debt_repaid",
                shortfall=0,
                grants=told(taken),
            )

    def revoke(self, points, reason, own=(), **fields):
        """Take points back; what is missing is owed, or let go."""
        taken = self.take_back(points, own)
        rest = points - amount_of(taken)
        owed = rest if self.rules.refunds.shortfall == "debt" else 0
        self.say(
            "point-revoked",
            points=points - rest,
            reason=reason,
            shortfall=rest,
            owed=owed,
            grants=told(taken),
            **fields,
        )

    # -- holds -----------------------------------------------------------------------------------------

    def worth(self, points):
        redemption = self.rules.redemption
        return points * redemption.amount // redemption.points

    def hold(self, hold_id, points, *, order_id=None, order_amount=None):
        redemption = self.rules.redemption
        if hold_id in self.holds:
            return
        code = None
        if points > self.available():
            code = "insufficient_points"
        elif points < redemption.minimum_points:
            code = "below_minimum"
        elif points % redemption.step:
            code = "not_a_step"
        elif order_amount is not None and self.worth(points) > order_amount * redemption.maximum_share:
            code = "over_share"
        if code:
            self.refused_holds.add(hold_id)
            self.reject("hold-points", hold_id, code)
            return
        taken = self.take(points)
        for lot, part in taken:
            lot["held"] += part
        due = self.at + redemption.hold_timeout_ms
        self.holds[hold_id] = {
            "points": points,
            "due": due,
            "state": "open",
            "taken": taken,
            "spent": [],
            "order_id": order_id,
        }
        self.say(
            "point-held", hold_id=hold_id, points=points, due_at=due, order_id=order_id, grants=told(taken)
        )

    def confirm(self, hold_id):
        hold = self.open_hold("confirm-hold", hold_id)
        if hold:
            self.redeem_held(hold, hold["taken"])
            hold["state"] = "confirmed"
            self.say(
                "point-redeemed",
                points=hold["points"],
                amount=self.worth(hold["points"]),
                hold_id=hold_id,
                grants=told([(lot, part) for lot, part, _ in hold["spent"]]),
            )

    def release(self, hold_id):
        hold = self.open_hold("release-hold", hold_id)
        if hold:
            self.give_back(hold_id, "released")

    def open_hold(self, command, hold_id):
        hold = self.holds.get(hold_id)
        if hold is None:
            self.reject(command, hold_id, "unknown_hold")
        elif hold["state"] != "open":
            self.reject(command, hold_id, "hold_closed")
        else:
            return hold
        return None

    def give_back(self, hold_id, reason):
        hold = self.holds[hold_id]
        for lot, part in hold["taken"]:
            lot["held"] -= part
            lot["free"] += part
        self.say(
            "point-released",
            hold_id=hold_id,
            points=hold["points"],
            reason=reason,
            grants=told(hold["taken"]),
        )
        hold["state"], hold["taken"] = "released", []
        self.repay()

    def redeem_held(self, hold, taken):
        for lot, part in taken:
            lot["held"] -= part
        hold["spent"] = dated(taken)
        self.active()

    def worth_on_order(self, hold_id, most):
        hold = self.holds.get(hold_id)
        if hold is None or hold["state"] == "spent":
            return 0
        return min(self.worth(hold["points"]), most)

    def spend_on_order(self, hold_id, amount, order):
        """Turn the hold that an order names into a redemption worth `amount`; what is over is given back."""
        hold = self.holds.get(hold_id)
        if hold is None or hold["state"] == "spent":
            return
        order_id = order["order_id"]
        redemption = self.rules.redemption
        points = hold["points"]
        if amount < self.worth(points):
            points = -(-amount * redemption.points // redemption.amount)
        if hold["state"] == "open":
            keep, over = split(hold["taken"], points)
            if over:
                for lot, part in over:
                    lot["held"] -= part
                    lot["free"] += part
                self.say(
                    "point-released",
                    hold_id=hold_id,
                    points=amount_of(over),
                    reason="over_order",
                    grants=told(over),
                )
            if keep:
                self.redeem_held(hold, keep)
                self.say(
                    "point-redeemed",
                    points=points,
                    amount=amount,
                    hold_id=hold_id,
                    order_id=order_id,
                    grants=told(keep),
                )
            self.repay()
            order["spent"] = dated(keep)
        elif hold["state"] == "released":
            taken = self.take(points)
            found = amount_of(taken)
            if found:
                self.active()
                self.say(
                    "point-redeemed",
                    points=found,
                    amount=amount,
                    hold_id=hold_id,
                    order_id=order_id,
                    grants=told(taken),
                )
            if found < points:
                owed = points - found if self.rules.refunds.shortfall == "debt" else 0
                self.say(
                    "point-revoked",
                    points=0,
                    reason="hold_shortfall",
                    shortfall=points - found,
                    owed=owed,
                    order_id=order_id,
                    grants=[],
                )
                self.repay()
            order["spent"] = dated(taken)
        else:  # confirmed: it has redeemed already
            order["spent"] = hold["spent"]
        hold["state"], hold["taken"] = "spent", []


def amount_of(taken):
    return sum(part for _, part in taken)


def dated(taken):
    """Spent points with the dates that they had."""
    return [(lot, part, lot["expires_at"]) for lot, part in taken]


def told(taken):
    """Points by lot, as an event tells them; several parts of one lot together."""
    by_lot = {}
    for lot, part in taken:
        by_lot[lot["label"]] = by_lot.get(lot["label"], 0) + part
    return sorted(by_lot.items())


def split(taken, points):
    first, rest = [], []
    for lot, part in taken:
        some = min(points, part)
        points -= some
        if some:
            first.append((lot, some))
        if part > some:
            rest.append((lot, part - some))
    return first, rest
