"""The real thing beside the oracle: `simulate` fed the same lines, its output brought to the oracle's terms."""

import json
from datetime import datetime
from fractions import Fraction

import msgspec
from plain import when
from plain.world import World

from loyalty_stream.app.simulate import Simulation

FIELDS = {
    "point-granted": (
        "points",
        "rule",
        "campaign_id",
        "base_amount",
        "available_at",
        "expires_at",
        "label",
        "rule_version",
    ),
    "point-held": ("hold_id", "points", "due_at", "grants", "order_id"),
    "point-released": ("hold_id", "points", "reason", "grants"),
    "point-redeemed": ("points", "amount", "hold_id", "redemption_id", "entry_id", "order_id", "grants"),
    "point-expired": ("label", "points", "expires_at"),
    "point-expiring": ("points", "expires_at", "notice"),
    "point-activated": ("label", "points"),
    "point-restored": ("points", "order_id", "redemption_id", "grants"),
    "point-revoked": ("points", "reason", "shortfall", "owed", "order_id", "campaign_id", "grants"),
    "tier-changed": ("from", "to"),
    "command-rejected": ("command", "command_id", "code"),
    "reward-issued": ("redemption_id", "campaign_id", "reward_id", "quantity", "kind", "codes"),
    "draw-entered": ("entry_id", "campaign_id"),
    "draw-won": ("entry_id", "campaign_id", "prize", "proof"),
}
"""What is compared of each type, besides its time, its customer and its cause."""


class Real:
    """The ledger behind `simulate`."""

    def __init__(self, rules):
        self.simulation = Simulation(rules)
        self.number = 0
        self.labels = {}
        self.grant_ids = {}
        self.entry_ids = {}
        self.counts = {}

    def line(self, fact):
        """The events in the oracle's terms with the balances after them; None for a bad line."""
        self.number += 1
        events, bad = self.simulation.apply(self.number, msgspec.json.encode(fact))
        if bad is not None and bad.reason == "processing_failed":
            raise AssertionError(f"processing failed: {bad.message}")
        read = [json.loads(event) for event in events]
        told = [each for event in read if (each := self.brief(event)) is not None]
        balances = {event["subject"]: event["data"]["balance"] for event in read}
        late = self.simulation.late()  # a refund that waited and now is too large
        return bad is not None or bool(late), told, balances

    def balances(self):
        return {each["customer"]: each for each in map(json.loads, self.simulation.balances())}

    def brief(self, event):
        data, kind = event["data"], event["type"]
        cause = data["cause"]
        if kind == "point-granted":
            own = cause["source"] == "loyalty-stream"
            name = f"own/{data['rule']}/{ms(event['time'])}" if own else f"{cause['id']}/{data['rule']}"
            count = self.counts.get((event["subject"], name), 0)
            self.counts[event["subject"], name] = count + 1
            self.labels[data["grant_id"]] = f"{name}/{count}"
            self.grant_ids[event["subject"], f"{name}/{count}"] = data["grant_id"]
        if kind == "account-noted":
            return None
        told = {"type": kind, "time": ms(event["time"]), "customer": event["subject"]}
        if cause["source"] != "loyalty-stream":
            told["cause"] = cause["id"]
        if kind == "reward-issued":
            data["codes"] = len(set(data.get("coupon_codes", ())))
            if "campaign_id" in data:
                del data["redemption_id"]  # a gift's or a prize's is made up
        if kind == "draw-entered" and data["entry_id"].startswith(event["id"].partition(".")[0]):
            _, campaign_id, number = data["entry_id"].rsplit(".", 2)
            self.entry_ids[event["subject"], f"{cause['id']}/{campaign_id}/{number}"] = data["entry_id"]
        if "grant_id" in data:
            data["label"] = self.labels[data["grant_id"]]
        if "grants" in data:
            data["grants"] = by_label(self.labels, data["grants"])
        for name in FIELDS[kind]:
            value = data.get(name)
            if value is not None:
                told[name] = ms(value) if name.endswith("_at") else value
        if kind == "point-granted":
            told["cut"] = "cut" in data["reason"]
            if "exact" in data:
                told["exact"] = Fraction(*data["exact"])
        if kind == "point-revoked":
            told.setdefault("owed", 0)
        return told


def by_label(labels, grants):
    together = {}
    for grant in grants:
        label = labels[grant["grant_id"]]
        together[label] = together.get(label, 0) + grant["points"]
    return sorted(together.items())


def ms(text):
    return when.ms_of(datetime.fromisoformat(text))


def picked(event):
    """Of an event of the oracle, what is compared; `exact` and `cut` go with grants."""
    names = ("type", "time", "customer", "cause", *FIELDS[event["type"]])
    if event["type"] == "point-granted":
        names += ("cut", "exact")
    told = {name: event[name] for name in names if event.get(name) is not None}
    if event["type"] == "point-revoked":
        told.setdefault("owed", 0)
    return told


def difference(rules, facts):
    """Where the oracle and the ledger first disagree over a history, as text; None where they agree."""
    real = Real(rules)
    # The oracle cannot know ids, which count events: it is told them, since of equal lots the first by id goes first.
    oracle = World(rules, real.grant_ids, real.entry_ids)
    for number, fact in enumerate(facts):
        try:
            was_bad, events, balances = real.line(fact)
        except AssertionError as error:
            return f"line {number}, {fact}:\n  {error}"
        expected, bad = oracle.line(fact)
        wanted = sorted([picked(event) for event in expected], key=repr)
        got = sorted(events, key=repr)
        if bad != was_bad:
            return (
                f"line {number}, {fact}:\n  the oracle says {'bad' if bad else 'good'}, the ledger does not"
            )
        if wanted != got:
            missing = [event for event in wanted if event not in got]
            surplus = [event for event in got if event not in wanted]
            return "\n".join(
                [
                    f"line {number}, {fact}:",
                    *[f"  only the oracle: {show(event)}" for event in missing],
                    *[f"  only the ledger: {show(event)}" for event in surplus],
                    *[f"  both:            {show(event)}" for event in wanted if event in got],
                ]
            )
        for customer, balance in balances.items():
            summary = oracle.books[customer].summary()
            if balance != {name: summary[name] for name in balance}:
                return f"line {number}, {fact}:\n  the oracle's {summary}\n  the ledger's {balance}"
    real_balances = real.balances()
    for customer, book in oracle.books.items():
        if (customer in real_balances or book.events) and real_balances.get(customer) != book.summary():
            return (
                f"at the end:\n  the oracle's {book.summary()}\n  the ledger's {real_balances.get(customer)}"
            )
    return None


def show(event):
    rest = {name: value for name, value in event.items() if name not in ("type", "customer")}
    for name, value in rest.items():
        if name == "time" or name.endswith("_at"):
            rest[name] = datetime.fromtimestamp(value / 1000, tz=when.UTC).isoformat()
    return f"{event['customer']} {event['type']} {rest}"
