"""The oracle's campaigns: which match, which of them count, what they give, and what refunds take back.

From DOMAIN.md, Campaigns and Budget: everything is asked of the lists of orders and awards anew, each time.
"""

from fractions import Fraction

from plain import orders
from plain.book import told


class Campaigns:
    def __init__(self, rules, world):
        self.rules = rules
        self.world = world
        self.versions = list(rules.campaigns)
        self.given = {}
        """Campaign -> points granted of its budget, over all customers; what refunds take back does not return."""

    # -- which are there -------------------------------------------------------------------------------

    def version(self, campaign_id, at):
        """The version that applies to events of this time; None where there is none, or it was withdrawn."""
        told = [each for each in self.versions if each.id == campaign_id and each.effective_at_ms <= at]
        newest = max(told, key=lambda each: (each.effective_at_ms, told.index(each)), default=None)
        return newest if hasattr(newest, "award") else None

    def matching(self, book, trigger, at, lines=None, sku=None):
        ids = sorted({each.id for each in self.versions})
        found = [self.version(campaign_id, at) for campaign_id in ids]
        found = [each for each in found if each is not None and each.trigger == trigger]
        found = [each for each in found if self.matches(each, book, at, lines, sku)]
        return sorted(found, key=lambda each: (each.priority, each.id))

    def matches(self, campaign, book, at, lines, sku):
        limit = campaign.per_customer_limit
        if not campaign.starts_at_ms <= at < campaign.ends_at_ms or not self.is_for(campaign.audience, book):
            return False
        if limit and self.had(book, campaign) >= limit:
            return False
        if lines is None:
            return not campaign.include_skus or sku in campaign.include_skus
        included = self.included(campaign, lines)
        spend = sum(line["net"] for line in included)
        if not included:
            return False
        return bool(campaign.accumulate) or spend >= campaign.minimum_amount

    def is_for(self, audience, book):
        registered = book.registered_at
        return (
            (not audience.tiers or book.tier in audience.tiers)
            and (not audience.segments or bool(audience.segments & set(book.segments)))
            and (
                not audience.registered_after_ms
                or (registered is not None and registered >= audience.registered_after_ms)
            )
        )

    def included(self, campaign, lines):
        return [line for line in lines if not campaign.include_skus or line["sku"] in campaign.include_skus]

    def had(self, book, campaign):
        """How many awards the customer has of it, those taken back not counted."""
        return sum(award["count"] for award in book.awards if award["campaign"].id == campaign.id)

    # -- purchases -------------------------------------------------------------------------------------

    def purchase(self, book, order, earn):
        matching = self.matching(book, "purchase", order["at"], order["lines"])
        chosen, alone = self.chosen(book, order, matching)
        if not alone:
            earn()
        multiplied = []
        for campaign in chosen:
            if campaign.award.multiplier is not None:
                multiplied.append(campaign)
                self.extra(book, order, campaign, multiplied)
            else:
                self.award(book, campaign, self.count(book, campaign), order)

    def chosen(self, book, order, matching):
        """Those that count, in order of priority; and whether an exclusive one counts alone."""
        exclusive = [each for each in matching if each.stacking == "exclusive"]
        if exclusive:
            return exclusive[:1], True
        best = [each for each in matching if each.stacking == "best"]
        best.sort(key=lambda each: -self.worth(book, order, each))
        count = [each for each in matching if each.stacking == "stack"] + best[:1]
        return sorted(count, key=lambda each: (each.priority, each.id)), False

    def worth(self, book, order, campaign):
        """What it gives in points before cuts; gifts and entries give 0."""
        if campaign.award.multiplier is not None:
            return self.by_rules(order, [campaign]) - self.by_rules(order, [])
        if order is None:
            return campaign.award.points
        return campaign.award.points * self.count(book, campaign)

    def count(self, book, campaign):
        """How many awards an order brings."""
        count = 1
        if campaign.accumulate:
            spend = sum(
                line["net"] - line["refunded"]
                for each in book.orders
                if campaign.starts_at_ms <= each["at"] < campaign.ends_at_ms
                for line in self.included(campaign, each["lines"])
            )
            reached = spend // campaign.minimum_amount if campaign.minimum_amount else 1
            count = max(reached - self.had(book, campaign), 0)
        limit = campaign.per_customer_limit
        return min(count, limit - self.had(book, campaign)) if limit else count

    def by_rules(self, order, multiplying):
        """The points that the purchase rules give for the order under these multipliers."""
        total = 0
        for rule in self.rules.purchase:
            exact = self.exact(order, rule, multiplying)
            if exact is not None:
                total += orders.rounded(exact, rule.rounding)
        return total

    def exact(self, order, rule, multiplying):
        lines = [line for line in order["lines"] if orders.in_scope(rule, line)]
        amount = "net" if rule.basis == "net" else "gross"
        if not lines or sum(line[amount] for line in lines) < rule.minimum_amount:
            return None
        exact = Fraction(0)
        for line in lines:
            points = line[amount] * rule.points / rule.per_amount * orders.tier_multiplier(self.rules, order)
            for campaign in multiplying:
                if any(line is each for each in self.included(campaign, order["lines"])):
                    points *= campaign.award.multiplier
            exact += points
        return exact

    def extra(self, book, order, campaign, multiplied):
        """What a multiplier adds to what the rules give with those before it."""
        points = self.by_rules(order, multiplied) - self.by_rules(order, multiplied[:-1])
        if points > 0:
            self.grant(book, campaign, points, 1, order, {"kind": "whole"})

    # -- awards ----------------------------------------------------------------------------------------

    def other(self, book, trigger, fact):
        sku = getattr(fact.data, "sku", None)
        matching = self.matching(book, trigger, book.at, sku=sku)
        for campaign in self.chosen(book, None, matching)[0]:
            if campaign.award.multiplier is None:
                self.award(book, campaign, 1, None)

    def award(self, book, campaign, count, order):
        if not count:
            return
        award = campaign.award
        if award.points:
            back = {"kind": "minimum", "campaign": campaign}
            self.grant(book, campaign, award.points * count, count, order, back)
        else:
            book.awards.append({"campaign": campaign, "count": count, "order": order, "lot": None})
            if award.draw_entries:
                for _ in range(award.draw_entries * count):
                    book.say("draw-entered", campaign_id=campaign.id)
            elif award.gift:
                book.say("reward-issued", reward_id=award.gift, quantity=count, campaign_id=campaign.id)

    def grant(self, book, campaign, points, count, order, back):
        """Grant what the budget leaves."""
        allowed = points
        if campaign.budget_points:
            allowed = min(points, campaign.budget_points - self.given.get(campaign.id, 0))
        self.given[campaign.id] = self.given.get(campaign.id, 0) + allowed
        told = {"campaign": campaign.id, "version": campaign.version, "cut": allowed < points}
        rule = f"campaign:{campaign.id}"
        if order is None:
            lot = book.grant(allowed, rule, **told)
        else:
            lot = orders.grant_for(book, order, allowed, rule, back, **told)
        book.awards.append({"campaign": campaign, "count": count, "order": order, "lot": lot})

    def undo(self, book, order):
        """After a refund: awards whose spend is no longer there go back."""


__all__ = ["Campaigns", "told"]
