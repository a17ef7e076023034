"""The oracle's orders: what they earn, what is spent on them, and how both go back (DOMAIN.md, Earning and Refunds)."""

import math
from fractions import Fraction

from loyalty_stream.domain.facts import OrderRefunded
from plain import when
from plain.book import FOREVER, told

# -- arithmetic -----------------------------------------------------------------------------------------


def rounded(exact, rounding):
    if rounding == "floor":
        return math.floor(exact)
    if rounding == "ceil":
        return math.ceil(exact)
    return math.floor(exact + Fraction(1, 2))


def spread(amount, weights):
    """In proportion, largest remainder, ties to the earlier one; never more than the weights together."""
    whole = sum(weights)
    if amount >= whole:
        return list(weights)
    exact = [Fraction(amount * weight, whole) for weight in weights]
    parts = [math.floor(part) for part in exact]
    by_remainder = sorted(range(len(parts)), key=lambda place: (parts[place] - exact[place], place))
    for place in by_remainder[: amount - sum(parts)]:
        parts[place] += 1
    return parts


# -- paid -----------------------------------------------------------------------------------------------


def order_of(book, order_id):
    return next((order for order in book.orders if order["order_id"] == order_id), None)


def waits_for_hold(book, order_id):
    return any(each["kind"] == "paid" and each["fact"].data.order_id == order_id for each in book.waiting)


def paid(book, fact, world):
    data = fact.data
    if order_of(book, data.order_id) or waits_for_hold(book, data.order_id):
        return
    if data.hold_id is not None and data.hold_id not in book.holds and data.hold_id not in book.refused_holds:
        book.waiting.append(
            {
                "kind": "paid",
                "fact": fact,
                "due": book.at + book.rules.redemption.hold_timeout_ms,
                "hold": data.hold_id,
            }
        )
        return
    apply_paid(book, fact, world)


def apply_paid(book, fact, world):
    data, rules = fact.data, book.rules
    goods = sum(line.amount for line in data.lines)
    cash = 0
    if data.hold_id is not None:
        cash = book.worth_on_order(data.hold_id, max(goods - data.discount_amount, 0))
    off = spread(data.discount_amount + cash, [line.amount for line in data.lines])
    order = {
        "order_id": data.order_id,
        "at": book.at,
        "stem": book.cause["stem"],
        "lines": [
            {
                "line_id": line.line_id,
                "sku": line.sku,
                "category": line.category,
                "gross": line.amount,
                "net": line.amount - less,
                "refunded": 0,
            }
            for line, less in zip(data.lines, off, strict=True)
        ],
        "earned": [],
        "spent": [],
        "restored": 0,
        "completed": False,
        "cancelled": False,
        "first": False,
    }
    before = list(book.orders)
    book.orders.append(order)
    if data.hold_id is not None:
        book.spend_on_order(data.hold_id, cash, order)
    order["tier"] = book.tier
    world.campaigns.purchase(
        book,
        order,
        earn=lambda: [earn(book, order, rule) for rule in rules.purchase],
        first=lambda: make_first(book, order, world) if is_first(order, before) else None,
    )
    world.tiers.earned(book)
    for early in [
        each for each in book.waiting if each["kind"] != "paid" and each["order_id"] == data.order_id
    ]:
        book.waiting.remove(early)
        now = book.now
        book.begin(early["fact"].source, early["fact"].id, when.ms_of(early["fact"].time), now)
        early["apply"](book, early["fact"], world)


def stands(order):
    """It has net goods that were not refunded, and was not cancelled."""
    return not order["cancelled"] and left(order) > 0


def left(order):
    return sum(line["net"] - line["refunded"] for line in order["lines"])


def net(order):
    return sum(line["net"] for line in order["lines"])


def is_first(order, before):
    return stands(order) and not any(each["first"] for each in before)


def make_first(book, order, world):
    order["first"] = True
    points = book.rules.first_purchase_points
    grant_for(book, order, points, "first_purchase", {"kind": "whole"})
    world.first_purchase(book)


def in_scope(rule, line):
    if rule.include_categories and line["category"] not in rule.include_categories:
        return False
    if rule.include_skus and line["sku"] not in rule.include_skus:
        return False
    return line["category"] not in rule.exclude_categories and line["sku"] not in rule.exclude_skus


def earn(book, order, rule):
    """One purchase rule: its points, rounded once, and the bonus of its thresholds."""
    lines = [line for line in order["lines"] if in_scope(rule, line)]
    if not lines:
        return
    base = sum(line["net" if rule.basis == "net" else "gross"] for line in lines)
    if base < rule.minimum_amount:
        return
    exact = base * rule.points / rule.per_amount * tier_multiplier(book.rules, order)
    back = {"kind": "exact", "exact": exact, "rounding": rule.rounding, "lines": lines, "tier": True}
    grant_for(book, order, rounded(exact, rule.rounding), rule.id, back, base_amount=base, exact=exact)
    steps = [
        {"kind": "steps", "rule": rule, "lines": lines, "tier": True},
    ]
    bonus = threshold_bonus(rule, base)
    grant_for(book, order, bonus, rule.id, steps[0], base_amount=base)


def tier_multiplier(rules, order):
    for level in rules.tiers.levels:
        if level.name == order["tier"]:
            return level.multiplier
    return Fraction(1)


def threshold_bonus(rule, base):
    reached = [threshold.bonus for threshold in rule.thresholds if base >= threshold.minimum_amount]
    if not reached:
        return 0
    return reached[-1] if rule.threshold_mode == "highest" else sum(reached)


def grant_for(book, order, points, rule, back, exact=None, **fields):
    """Grant what the order earned, and remember how it shrinks with refunds."""
    if not points:
        return None
    lot = book.grant(points, rule, order=order, available_at=available_at(book, order), exact=exact, **fields)
    order["earned"].append({**back, "lot": lot, "points": points, "revoked": 0})
    return lot


def available_at(book, order):
    availability = book.rules.availability
    if availability.mode == "immediate":
        return book.at
    if availability.mode == "on_completion":
        return book.at if order["completed"] else FOREVER
    return when.moved(order["at"], availability.delay, book.zone)


# -- completed, cancelled, refunded ---------------------------------------------------------------------


def early(book, fact, kind, apply):
    book.waiting.append(
        {
            "kind": kind,
            "fact": fact,
            "order_id": fact.data.order_id,
            "due": book.at + book.rules.retention_ms,
            "apply": apply,
        }
    )


def completed(book, fact, world):
    order = order_of(book, fact.data.order_id)
    if order is None:
        early(book, fact, "completed", completed)
        return
    if order["completed"]:
        return
    order["completed"] = True
    for lot in sorted(book.lots, key=book.spending_order):
        if lot["order"] == order["order_id"] and lot["pending"] and lot["available_at"] == FOREVER:
            activate(book, lot)
    book.repay()


def activate(book, lot):
    points = lot["pending"]
    lot["pending"], lot["free"] = 0, lot["free"] + points
    book.say("point-activated", label=lot["label"], points=points)
    book.repay()


def cancelled(book, fact, world):
    order_id = fact.data.order_id
    order = order_of(book, order_id)
    if order is None:
        for hold_id in sorted(book.holds):
            if book.holds[hold_id]["state"] == "open" and book.holds[hold_id]["order_id"] == order_id:
                book.give_back(hold_id, "released")
        early(book, fact, "cancelled", cancelled)
        return
    if order["cancelled"]:
        return
    order["cancelled"] = True
    for line in order["lines"]:
        line["refunded"] = line["net"]
    go_back(book, order, "cancellation", world)


def refusal(book, fact):
    """Whether a refund cannot be: more than is left, of a line that is not there, or in contradiction to itself."""
    if not isinstance(fact, OrderRefunded) or (fact.source, fact.id) in book.seen:
        return False
    return is_too_much(book, fact)


def is_too_much(book, fact):
    data = fact.data
    order = order_of(book, data.order_id)
    if book.erased:
        return False
    if data.lines and sum(line.amount for line in data.lines) != data.amount:
        return True
    if order is None or (data.order_id, data.refund_id) in book.ids:
        return False
    parts = by_line(order, data)
    if data.amount > left(order) or parts is None:
        return True
    return any(
        part > line["net"] - line["refunded"] for part, line in zip(parts, order["lines"], strict=True)
    )


def by_line(order, data):
    """What is refunded of each line; None where a line is not known."""
    if data.lines is None:
        return spread(data.amount, [line["net"] - line["refunded"] for line in order["lines"]])
    parts = [0] * len(order["lines"])
    for refund in data.lines:
        places = [place for place, line in enumerate(order["lines"]) if line["line_id"] == refund.line_id]
        if not places:
            return None
        parts[places[0]] += refund.amount
    return parts


def refunded(book, fact, world):
    data = fact.data
    order = order_of(book, data.order_id)
    if order is None:
        early(book, fact, "refunded", refunded)
        return
    if (data.order_id, data.refund_id) in book.ids:
        return
    if is_too_much(book, fact):
        world.bad = True
        return
    book.ids.add((data.order_id, data.refund_id))
    for line, part in zip(order["lines"], by_line(order, data), strict=True):
        line["refunded"] += part
    if data.amount:
        go_back(book, order, "refund", world)


def go_back(book, order, reason, world):
    """After a refund: spent points are restored, then granted points revoked, each in proportion to what is left."""
    restore(book, order)
    revoke(book, order, reason)
    world.campaigns.undo(book, order)
    if order["first"] and not stands(order):
        order["first"] = False
        others = [each for each in book.orders if stands(each)]
        if others:
            make_first(book, min(others, key=lambda each: each["at"]), world)
    world.tiers.lowered(book, order)


def revoke(book, order, reason):
    """Take back what no longer stays of what the order was granted."""
    total = 0
    for earned in order["earned"]:
        gone = earned["points"] - stays(order, earned) - earned["revoked"]
        if gone > 0:
            earned["revoked"] += gone
            total += gone
    if total:
        own = [lot for lot in book.lots if lot["order"] == order["order_id"]]
        book.revoke(total, reason, own, order_id=order["order_id"])


def stays(order, earned):
    """What of a grant stays after what was refunded so far."""
    if earned["kind"] == "spend":  # it is of several orders: `campaigns` takes it back
        return earned["points"] - earned["revoked"]
    if order["cancelled"] or (net(order) and left(order) == 0):
        return 0
    if earned["kind"] == "whole":
        return earned["points"]
    base = sum(line["net"] for line in earned["lines"])
    remains = base - sum(line["refunded"] for line in earned["lines"])
    if remains == base:
        return earned["points"] - earned["revoked"]
    share = Fraction(remains, base)
    return of_the_rest(earned, base, share)


def of_the_rest(earned, base, share):
    """What this share of its base is worth."""
    if earned["kind"] == "minimum":
        return earned["points"] if base * share >= earned["minimum"] else 0
    if earned["kind"] == "exact":
        return rounded(earned["exact"] * share, earned["rounding"])
    rule = earned["rule"]
    whole = base if rule.basis == "net" else sum(line["gross"] for line in earned["lines"])
    return threshold_bonus(rule, whole * share)


def restore(book, order):
    spent = sum(part for _, part, _ in order["spent"])
    whole = net(order)
    if order["cancelled"] or (whole and left(order) == 0):
        total = spent
    elif whole:
        total = spent * (whole - left(order)) // whole
    else:
        total = 0
    points = total - order["restored"]
    if points <= 0:
        return
    skip, back = order["restored"], []
    # What expires last comes back first, so that what stays spent is what a smaller spending would have taken.
    for lot, part, date in sorted(order["spent"], key=spending_order, reverse=True):
        before = min(skip, part)
        skip -= before
        some = min(points - sum(part for _, part, _ in back), part - before)
        if some:
            back.append((lot, some, date))
    order["restored"] = total
    give_back(book, back, order_id=order["order_id"])


def spending_order(spent):
    lot, _, date = spent
    return date, lot["earned_at"], lot["sort"]


def give_back(book, back, **fields):
    """Spent points form their lots again; where the date has passed they expire at once, or live on for a while."""
    refunds = book.rules.refunds
    dates = [book.date_to_restore(lot, date) for lot, _, date in back]
    for (lot, part, _), date in zip(back, dates, strict=True):
        lot["expires_at"] = date
        if date <= book.now and refunds.restore_expired == "extend":
            lot["expires_at"] = when.moved(book.now, refunds.extend_by, book.zone)
        lot["free"] += part
    book.say(
        "point-restored",
        points=sum(part for _, part, _ in back),
        grants=told([(lot, part) for lot, part, _ in back]),
        **fields,
    )
    for lot in {id(lot): lot for lot, _, _ in back}.values():
        if lot["expires_at"] <= book.now:
            book.forfeit(lot, sum(part for each, part, _ in back if each is lot))
    book.repay()
