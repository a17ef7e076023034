"""The oracle's campaigns: which match, which of them count, what they give, and what refunds take back.

From DOMAIN.md, Campaigns and Budget: everything is asked of the lists of orders and awards anew, each time.
"""

import json
from datetime import datetime
from fractions import Fraction

from loyalty_stream.domain.announcements import CampaignPublished, CampaignWithdrawn
from loyalty_stream.domain.rules import Audience, Award, Campaign, Draw, Prize, Withdrawal
from plain import orders, when

MINUTE_MS = 60_000


def ms(text):
    return when.ms_of(datetime.fromisoformat(text))


def withdrawal(fact):
    return Withdrawal(fact.data.id, when.ms_of(fact.data.effective_at))


def version(fact):
    """What `campaign-published` carries: the table of the programme file, and `effective_at`."""
    table = json.loads(bytes(fact.data))
    award, audience, draw = table["award"], table["audience"], table.get("draw")
    if draw is not None:
        prizes = tuple(Prize(each["id"], each["winners"]) for each in draw["prizes"])
        draw = Draw(prizes, draw["seed_commitment"], draw["entry_cost"])
    multiplier = award.get("multiplier")
    after = audience.get("registered_after")
    return Campaign(
        id=table["id"],
        version=table["version"],
        theme=table["theme"],
        mode=table["mode"],
        starts_at_ms=ms(table["starts_at"]),
        ends_at_ms=ms(table["ends_at"]),
        trigger=table["trigger"],
        award=Award(
            points=award.get("points", 0),
            multiplier=None if multiplier is None else Fraction(multiplier),
            draw_entries=award.get("draw_entries", 0),
            gift=award.get("gift", ""),
        ),
        audience=Audience(
            frozenset(audience["tiers"]), frozenset(audience["segments"]), ms(after) if after else 0
        ),
        include_skus=frozenset(table["include_skus"]),
        minimum_amount=table["minimum_amount"],
        accumulate=table["accumulate"],
        per_customer_limit=table["per_customer_limit"],
        budget_points=table["budget_points"],
        stacking=table["stacking"],
        priority=table["priority"],
        draw=draw,
        effective_at_ms=ms(table["effective_at"]),
    )


class Campaigns:
    def __init__(self, rules, world):
        self.rules = rules
        self.world = world
        self.versions = list(rules.campaigns)
        self.seen = set()
        self.given = {}
        """Campaign -> points granted of its budget, over all customers; what refunds take back does not return."""

    # -- what is announced -----------------------------------------------------------------------------

    def announce(self, fact, at):
        """A version or a withdrawal on the topic; says whether it is taken. After a draw's seed no version is."""
        if (fact.subject, fact.source, fact.id) in self.seen:
            return True
        told = withdrawal(fact) if isinstance(fact, CampaignWithdrawn) else version(fact)
        if told.effective_at_ms < at + MINUTE_MS:
            return False
        if isinstance(fact, CampaignPublished) and told.id in self.world.mall.revealed:
            return False
        self.seen.add((fact.subject, fact.source, fact.id))
        self.versions.append(told)
        return True

    # -- which are there -------------------------------------------------------------------------------

    def version(self, campaign_id, at):
        """The version that applies to events of this time; None where there is none, or it was withdrawn."""
        told = [each for each in self.versions if each.id == campaign_id and each.effective_at_ms <= at]
        newest = max(told, key=lambda each: (each.effective_at_ms, told.index(each)), default=None)
        return newest if hasattr(newest, "award") else None

    def live(self, trigger, at):
        """What is published for the trigger at this time, by priority then id."""
        ids = {each.id for each in self.versions}
        found = [self.version(campaign_id, at) for campaign_id in ids]
        found = [
            each
            for each in found
            if each is not None and each.trigger == trigger and each.starts_at_ms <= at < each.ends_at_ms
        ]
        found = [each for each in found if gives(each.award)]
        return sorted(found, key=lambda each: (each.priority, each.id))

    def is_for(self, audience, book):
        registered = book.registered_at
        return (
            (not audience.tiers or book.tier in audience.tiers)
            and (not audience.segments or bool(audience.segments & set(book.segments)))
            and (
                not audience.registered_after_ms
                or (registered is not None and registered > audience.registered_after_ms)
            )
        )

    def had(self, book, campaign):
        """How many awards the customer has of it, those taken back not counted."""
        return sum(award["count"] for award in book.awards if award["campaign"].id == campaign.id)

    def had_for_spend(self, book, campaign):
        """Those of them that were given for the spend over the window."""
        return sum(
            award["count"]
            for award in book.awards
            if award["campaign"].id == campaign.id and award["kind"] == "window"
        )

    def within_limit(self, book, campaign, count):
        limit = campaign.per_customer_limit
        return min(count, max(limit - self.had(book, campaign), 0)) if limit else count

    # -- which of them count ---------------------------------------------------------------------------

    def other(self, book, trigger, fact):
        """An event that is no order."""
        sku = getattr(fact.data, "sku", None)
        matches = [
            {"campaign": each, "count": 1, "points": each.award.points}
            for each in self.live(trigger, book.at)
            if self.is_for(each.audience, book)
            and self.within_limit(book, each, 1)
            and (not each.include_skus or sku in each.include_skus)
        ]
        for match in self.chosen(matches):
            self.award(book, match, None, review_id=getattr(fact.data, "review_id", None))

    def purchase(self, book, order, earn, first):
        matches, counts = [], {}
        for campaign in self.live("purchase", order["at"]):
            lines = [
                each
                for each in order["lines"]
                if not campaign.include_skus or each["sku"] in campaign.include_skus
            ]
            if not lines or not self.is_for(campaign.audience, book):
                continue
            if campaign.accumulate:
                counts[campaign.id] = lines
            count = self.reached(book, campaign, lines)
            if count:
                matches.append({"campaign": campaign, "count": count, "lines": lines})
        matches = self.told(order, matches)
        chosen = self.chosen(matches)
        alone = [each for each in chosen if each["campaign"].stacking == "exclusive"]
        if alone:
            only = alone[0]["campaign"].id
            counts = {name: lines for name, lines in counts.items() if name == only}
        order["counts"] = counts
        if not alone:
            earn()
        first()
        for match in self.told(order, chosen, at_work=True):
            if match["campaign"].award.multiplier is not None:
                if match["extras"]:
                    self.multiply(book, match, order)
            else:
                self.award(book, match, order)

    def chosen(self, matches):
        """The first exclusive one alone; else all that stack, and the one of the best that gives most."""
        exclusive = [each for each in matches if each["campaign"].stacking == "exclusive"]
        if exclusive:
            return exclusive[:1]
        best = [each for each in matches if each["campaign"].stacking == "best"]
        most = max(best, key=lambda each: each["points"], default=None)
        return [each for each in matches if each["campaign"].stacking == "stack" or each is most]

    def reached(self, book, campaign, lines):
        """How many awards an order reaches with these lines of it, within the limit per customer."""
        minimum, spend = campaign.minimum_amount, sum(line["net"] for line in lines)
        if campaign.accumulate:
            spend += self.spent(book, campaign)
        if campaign.accumulate and minimum and campaign.award.multiplier is None:
            count = max(spend // minimum - self.had_for_spend(book, campaign), 0)
        else:
            count = 1 if spend >= minimum else 0
        return self.within_limit(book, campaign, count)

    def spent(self, book, campaign):
        """What of earlier orders counts, less what was refunded of it."""
        lines = [line for each in book.orders for line in each.get("counts", {}).get(campaign.id, ())]
        return sum(line["net"] - line["refunded"] for line in lines)

    # -- multipliers -----------------------------------------------------------------------------------

    def told(self, order, matches, *, at_work=False):
        """Each match with what it gives before cuts: a multiplier what it adds to those before it that stack.

        Once it is chosen which are `at_work`, the one of the best counts among those before, too.
        """
        before, told = [], []
        for match in matches:
            campaign = match["campaign"]
            if campaign.award.multiplier is None:
                told.append({**match, "points": campaign.award.points * match["count"]})
                continue
            alone = campaign.stacking == "exclusive"
            extras = [self.extra(order, rule, before, match, alone) for rule in self.rules.purchase]
            extras = [extra for extra in extras if extra is not None and extra["points"] > 0]
            stays = campaign.stacking == "stack" or at_work
            if extras or stays:  # one that adds nothing for the rounding multiplies for those after it
                told.append({**match, "extras": extras, "points": sum(each["points"] for each in extras)})
            if stays:
                before.append(match)
        return told

    def extra(self, order, rule, before, match, alone):
        """What a multiplier adds to one purchase rule; all of it where it counts alone, without the rules."""
        lines = [line for line in order["lines"] if orders.in_scope(rule, line)]
        amount = "net" if rule.basis == "net" else "gross"
        if not lines or sum(line[amount] for line in lines) < rule.minimum_amount:
            return None
        own = [line for line in lines if any(line is each for each in match["lines"])]
        if alone:
            with_it, without = self.exact(order, rule, own, [match]), Fraction(0)
        else:
            with_it, without = (self.exact(order, rule, lines, each) for each in ([*before, match], before))
        points = orders.rounded(with_it, rule.rounding) - orders.rounded(without, rule.rounding)
        base = sum(line[amount] for line in own)
        return {"rule": rule, "points": points, "exact": with_it - without, "lines": own, "base_amount": base}

    def exact(self, order, rule, lines, multiplying):
        total = Fraction(0)
        for line in lines:
            points = line["net" if rule.basis == "net" else "gross"] * rule.points / rule.per_amount
            points *= orders.tier_multiplier(self.rules, order)
            for match in multiplying:
                if any(line is each for each in match["lines"]):
                    points *= match["campaign"].award.multiplier
            total += points
        return total

    # -- awards ----------------------------------------------------------------------------------------

    def multiply(self, book, match, order):
        """A grant for each rule that it adds to; together they are one award."""
        award = {"campaign": match["campaign"], "count": 1, "order": order, "kind": "order"}
        award |= {"entries": [], "gift": None, "lines": ()}
        book.awards.append(award)
        made = []
        for extra in match["extras"]:
            back = {"kind": "exact", "rounding": extra["rule"].rounding, "award": award}
            back |= {"exact": extra["exact"], "lines": extra["lines"]}
            told = {"exact": extra["exact"], "base_amount": extra["base_amount"]}
            made.append({"points": extra["points"], "back": back, "told": told})
        self.give(book, award, made)

    def award(self, book, match, order, review_id=None):
        campaign, count = match["campaign"], match["count"]
        kind = "window" if campaign.accumulate and order is not None else "order"
        award = {"campaign": campaign, "count": count, "order": order, "kind": kind}
        award |= {"review_id": review_id, "lots": [], "entries": [], "gift": None}
        award["lines"] = match.get("lines", ())
        book.awards.append(award)
        if campaign.award.points:
            back, told = {}, {}
            if order is not None:
                back = {"kind": "spend" if campaign.accumulate else "minimum", "award": award}
                back |= {"minimum": max(campaign.minimum_amount, 1), "lines": match["lines"]}
                told = {"base_amount": sum(line["net"] for line in match["lines"])}
            self.give(book, award, [{"points": campaign.award.points * count, "back": back, "told": told}])
        self.world.mall.award(book, award)

    def give(self, book, award, made):
        """Grant at once, or ask the budget, whose owner answers when the line is done: first come, first served."""
        if not award["campaign"].budget_points:
            self.grant(book, award, made, sum(each["points"] for each in made))
            return
        at = book.at
        self.world.to_do.append(lambda: self.answer(book, award, made, at))

    def answer(self, book, award, made, at):
        campaign, order = award["campaign"], award["order"]
        asked = sum(each["points"] for each in made)
        if book.erased:
            return  # what it asked for was returned
        given = min(asked, max(campaign.budget_points - self.given.get(campaign.id, 0), 0))
        self.given[campaign.id] = self.given.get(campaign.id, 0) + given
        book.begin("loyalty-stream", "answer", at, self.world.clock)
        self.grant(book, award, made, given)
        if given and order is not None:
            # What was refunded meanwhile is taken back at once.
            orders.revoke(book, order, "cancellation" if order["cancelled"] else "refund")
            self.undo_orders(book, order)
            if award["kind"] == "window":
                self.take_back(book, award)
        self.world.settle_late(book, at)

    def grant(self, book, award, made, given):
        campaign = award["campaign"]
        for each in made:
            points = min(each["points"], given)
            given -= points
            told = {"campaign": campaign.id, "version": campaign.version, "cut": points < each["points"]}
            told |= each["told"]
            rule = f"campaign:{campaign.id}"
            if award["order"] is None:
                award["lots"].append(book.grant(points, rule, **told))
            else:
                orders.grant_for(book, award["order"], points, rule, each["back"], **told)

    # -- refunds ---------------------------------------------------------------------------------------

    def undo(self, book, order):
        """After a refund: an award is gone when all that it gave was taken back; spend that is gone takes awards back."""
        self.undo_orders(book, order)
        for award in book.awards:
            campaign = award["campaign"]
            if award["order"] is order and award["kind"] == "order" and award["count"]:
                paid = sum(line["net"] for line in award["lines"])
                spend = paid - sum(line["refunded"] for line in award["lines"])
                gone = order["cancelled"] or (orders.net(order) and orders.left(order) == 0)
                if gone or (spend < paid and spend < max(campaign.minimum_amount, 1)):
                    self.world.mall.take_back(book, award, award["count"])
        for campaign_id in order.get("counts", ()):
            self.undo_latest(book, campaign_id)

    def undo_review(self, book, review_id):
        """A removed review: its awards are gone, and what they granted."""
        for award in book.awards:
            if award.get("review_id") != review_id or award["count"] == 0:
                continue
            if not award["campaign"].award.points:
                self.world.mall.take_back(book, award, 1)
            else:
                award["count"] = 0
                lots = [lot for lot in award["lots"] if lot is not None]
                if lots:
                    points = sum(lot["granted"] for lot in lots)
                    book.revoke(points, "review_removed", lots, campaign_id=award["campaign"].id)

    def undo_orders(self, book, order):
        for award in book.awards:
            if award["order"] is order and award["kind"] == "order":
                grants = [each for each in order["earned"] if each.get("award") is award]
                if grants and all(each["revoked"] == each["points"] for each in grants):
                    award["count"] = 0

    def undo_latest(self, book, campaign_id):
        """Of spend over the window the awards of the order paid last go first; of one instant, of that applied last."""
        given = [
            each for each in book.awards if each["campaign"].id == campaign_id and each["kind"] == "window"
        ]
        given.sort(key=lambda award: award["order"]["at"])
        for award in reversed(given):
            campaign = award["campaign"]
            reached = self.spent(book, campaign) // max(campaign.minimum_amount, 1)
            back = min(self.had_for_spend(book, campaign) - reached, award["count"])
            if back > 0 and campaign.award.points:
                award["count"] -= back
                self.take_back(book, award)
            elif back > 0:
                self.world.mall.take_back(book, award, back)

    def take_back(self, book, award):
        """Of points that the budget has cut, so many stay as the awards that are left are worth at most."""
        for earned in award["order"]["earned"]:
            if earned.get("award") is award:
                stays = min(earned["points"], award["count"] * award["campaign"].award.points)
                gone = earned["points"] - earned["revoked"] - stays
                if gone > 0:
                    earned["revoked"] += gone
                    own = [lot for lot in book.lots if lot["order"] == award["order"]["order_id"]]
                    book.revoke(
                        gone,
                        "campaign",
                        own,
                        order_id=award["order"]["order_id"],
                        campaign_id=award["campaign"].id,
                    )


def gives(award):
    return bool(award.points or award.multiplier is not None or award.draw_entries or award.gift)
