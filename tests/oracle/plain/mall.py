"""The oracle's reward mall and draws (DOMAIN.md, Spending and Draws). Checks run in the order of DOMAIN.md's list."""

import hashlib
import hmac

from plain import orders, when
from plain.book import amount_of, dated, told


class Mall:
    def __init__(self, rules, world):
        self.rules = rules
        self.world = world
        self.taken = {}
        """Reward -> how many of it are issued and not given back."""
        self.entries = []
        """Every entry into a draw: campaign, entry id, customer."""
        self.drawn = set()

    def left(self, reward):
        return reward.stock - self.taken.get(reward.id, 0)

    # -- rewards ---------------------------------------------------------------------------------------

    def redeem(self, book, fact):
        data = fact.data
        if data.redemption_id in book.redemptions:
            return
        reward = self.rules.rewards.get(data.reward_id)
        code = self.refusal(book, reward, data.quantity)
        if code is not None:
            book.reject("redeem-reward", data.redemption_id, code)
            return
        cost = reward.cost * data.quantity
        taken = book.take(cost)
        for lot, part in taken:
            lot["held"] += part
        if taken:
            book.say("point-held", hold_id=f"reward+{data.redemption_id}", points=cost, grants=told(taken))
        made = {"reward": reward, "quantity": data.quantity, "taken": taken, "spent": [], "cancelled": False}
        made |= {"id": data.redemption_id, "gift": False}
        book.redemptions[data.redemption_id] = made
        at = book.at
        if reward.stock:
            self.world.to_do.append(lambda: self.answer(book, made, at))
        else:
            self.issue(book, made)

    def refusal(self, book, reward, quantity):
        if reward is None:
            return "unknown_reward"
        if reward.cost * quantity > book.available():
            return "insufficient_points"
        mine = sum(
            each["quantity"]
            for each in book.redemptions.values()
            if each["reward"].id == reward.id and not each["cancelled"] and not each["gift"]
        )
        if reward.per_customer_limit and mine + quantity > reward.per_customer_limit:
            return "limit_reached"
        early, late = book.at < reward.starts_at_ms, reward.ends_at_ms and book.at >= reward.ends_at_ms
        if early or late or (reward.tiers and book.tier not in reward.tiers):
            return "not_eligible"
        return None

    def answer(self, book, made, at):
        """The stock's owner: first come, first served, all of it or none."""
        reward = made["reward"]
        book.begin("loyalty-stream", "answer", at, self.world.clock)
        if made["quantity"] <= self.left(reward):
            self.taken[reward.id] = self.taken.get(reward.id, 0) + made["quantity"]
            self.issue(book, made)
        else:
            del book.redemptions[made["id"]]
            for lot, part in made["taken"]:
                lot["held"] -= part
                lot["free"] += part
            if made["taken"]:
                points = amount_of(made["taken"])
                book.say(
                    "point-released",
                    hold_id=f"reward+{made['id']}",
                    points=points,
                    reason="out_of_stock",
                    grants=told(made["taken"]),
                )
                book.repay()
            book.reject("redeem-reward", made["id"], "out_of_stock")
        self.world.settle_late(book, at)

    def issue(self, book, made):
        reward = made["reward"]
        for lot, part in made["taken"]:
            lot["held"] -= part
        if made["taken"]:
            made["spent"] = dated(made["taken"])
            book.active()
            points = amount_of(made["taken"])
            book.say("point-redeemed", points=points, redemption_id=made["id"], grants=told(made["taken"]))
        book.say(
            "reward-issued",
            redemption_id=made["id"],
            reward_id=reward.id,
            quantity=made["quantity"],
            kind=reward.kind,
            codes=made["quantity"] if reward.kind == "coupon" else 0,
        )

    def cancel(self, book, fact):
        redemption_id = fact.data.redemption_id
        redemption = book.redemptions.get(redemption_id)
        if redemption is None:
            book.reject("cancel-redemption", redemption_id, "unknown_hold")
            return
        if redemption["cancelled"]:
            book.reject("cancel-redemption", redemption_id, "hold_closed")
            return
        redemption["cancelled"] = True
        if redemption["reward"].stock:
            self.taken[redemption["reward"].id] -= redemption["quantity"]
        if redemption["spent"]:
            orders.give_back(book, redemption["spent"], redemption_id=redemption_id)

    def award(self, book, award, match):
        """Entries and gifts that a campaign awards."""

    def undo(self, book, order):
        """After a refund: entries that came with the order are withdrawn while the draw is open."""

    # -- draws -----------------------------------------------------------------------------------------

    def enter(self, book, fact):
        data = fact.data
        if ("entry", data.entry_id) in book.ids:
            return
        campaign = self.world.campaigns.version(data.campaign_id, book.at)
        cost = campaign.draw.entry_cost if campaign and campaign.draw else 0
        code = None
        if cost > book.available():
            code = "insufficient_points"
        elif campaign and campaign.draw and not campaign.starts_at_ms <= book.at < campaign.ends_at_ms:
            code = "draw_closed"
        elif campaign is None or campaign.draw is None:
            code = "unknown_campaign"
        if code is not None:
            book.reject("enter-draw", data.entry_id, code)
            return
        taken = book.take(cost)
        if taken:
            book.active()
            book.say("point-redeemed", points=amount_of(taken), grants=told(taken))
        self.add_entry(book, campaign.id, data.entry_id)

    def add_entry(self, book, campaign_id, entry_id):
        book.ids.add(("entry", entry_id))
        self.entries.append({"campaign": campaign_id, "entry": entry_id, "customer": book.customer})
        book.say("draw-entered", entry_id=entry_id, campaign_id=campaign_id)

    def reveal(self, campaign_id, seed, at):
        """The winners: the entries with the smallest HMAC under the seed, if it is the one that was committed to."""
        campaign = self.world.campaigns.version(campaign_id, at)
        if campaign is None or campaign.draw is None or campaign_id in self.drawn:
            return
        if (
            hashlib.sha256(seed.encode()).hexdigest() != campaign.draw.seed_commitment
            or at < campaign.ends_at_ms
        ):
            return
        self.drawn.add(campaign_id)
        entries = [each for each in self.entries if each["campaign"] == campaign_id]
        proofs = sorted(
            (
                hmac.new(seed.encode(), each["entry"].encode(), "sha256").hexdigest(),
                each["entry"],
                each["customer"],
            )
            for each in entries
        )
        places = [prize.id for prize in campaign.draw.prizes for _ in range(prize.winners)]
        for prize, (proof, entry, customer) in zip(places, proofs, strict=False):
            book = self.world.book(customer)
            book.begin("loyalty-stream", "won", at, self.world.clock)
            book.say("draw-won", entry_id=entry, campaign_id=campaign_id, prize=prize, proof=proof)


__all__ = ["Mall", "when"]
