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
        self.revealed = set()
        """Campaigns whose draw's seed is known."""
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

    # -- what campaigns award ---------------------------------------------------------------------------

    def award(self, book, award):
        """Entries, while the draw is open; and gifts."""
        campaign = award["campaign"]
        if campaign.award.draw_entries and self.is_open(campaign.id):
            for number in range(1, award["count"] * campaign.award.draw_entries + 1):
                # The oracle cannot know ids that are made up: it is told them.
                label = f"{book.cause['id']}/{campaign.id}/{number}"
                entry_id = self.world.entry_ids.get((book.customer, label), label)
                award["entries"].append(self.add_entry(book, campaign.id, entry_id))
        if campaign.award.gift:
            award["gift"] = self.give(book, campaign.award.gift, award["count"], campaign.id)

    def take_back(self, book, award, back):
        """Entries while the draw is open, and a gift whose stock has not answered; what is given stays and counts."""
        campaign, gift = award["campaign"], award["gift"]
        if campaign.award.draw_entries and self.is_open(campaign.id):
            award["count"] -= back
            stays = award["count"] * campaign.award.draw_entries
            for entry in award["entries"][stays:]:
                self.entries.remove(entry)
            del award["entries"][stays:]
        elif gift is not None and gift["state"] == "asked":
            award["count"] -= back
            gift["state"] = "withdrawn"
            self.world.to_do.append(lambda: self.put_back(gift))
            award["gift"] = None
            if award["count"]:
                award["gift"] = self.give(book, campaign.award.gift, award["count"], campaign.id)

    def give(self, book, reward_id, quantity, campaign_id):
        """A reward for nothing: once its stock's owner has answered, where that is limited; None: there is no such."""
        reward = self.rules.rewards.get(reward_id)
        if reward is None:
            return None
        gift = {"reward": reward, "quantity": quantity, "campaign": campaign_id, "state": "asked", "took": 0}
        at = book.at
        if reward.stock:
            self.world.to_do.append(lambda: self.answer_gift(book, gift, at))
        else:
            self.issue_gift(book, gift)
        return gift

    def answer_gift(self, book, gift, at):
        reward = gift["reward"]
        if gift["quantity"] <= self.left(reward):
            gift["took"] = gift["quantity"]
            self.taken[reward.id] = self.taken.get(reward.id, 0) + gift["quantity"]
        if gift["state"] == "withdrawn" or book.erased:
            return
        book.begin("loyalty-stream", "answer", at, self.world.clock)
        if gift["took"]:
            self.issue_gift(book, gift)
        else:
            gift["state"] = "refused"
        self.world.settle_late(book, at)

    def put_back(self, gift):
        self.taken[gift["reward"].id] = self.taken.get(gift["reward"].id, 0) - gift["took"]

    def issue_gift(self, book, gift):
        gift["state"] = "issued"
        reward, quantity = gift["reward"], gift["quantity"]
        book.say(
            "reward-issued",
            campaign_id=gift["campaign"],
            reward_id=reward.id,
            quantity=quantity,
            kind=reward.kind,
            codes=quantity if reward.kind == "coupon" else 0,
        )

    # -- draws -----------------------------------------------------------------------------------------

    def terms(self, campaign_id):
        """The draw as it was told before the campaign's start, and the latest end; None: it has none."""
        told = [each for each in self.world.campaigns.versions if each.id == campaign_id]
        told = [each for each in told if getattr(each, "draw", None) is not None]
        told = sorted(told, key=lambda each: each.effective_at_ms)
        if not told:
            return None
        in_time = [each for each in told if each.effective_at_ms <= each.starts_at_ms]
        return (in_time[-1] if in_time else told[0]).draw, told[-1].ends_at_ms

    def is_open(self, campaign_id):
        terms = self.terms(campaign_id)
        return terms is not None and self.world.clock < terms[1]

    def enter(self, book, fact):
        data = fact.data
        if ("entry", data.campaign_id, data.entry_id) in book.ids:
            return
        campaigns = self.world.campaigns
        campaign = campaigns.version(data.campaign_id, book.at)
        code = None
        if campaign is None or campaign.draw is None:
            code = "unknown_campaign"
        elif campaign.draw.entry_cost > book.available():
            code = "insufficient_points"
        elif not campaigns.within_limit(book, campaign, 1):
            code = "limit_reached"
        elif not campaigns.is_for(campaign.audience, book):
            code = "not_eligible"
        elif not campaign.starts_at_ms <= book.at < campaign.ends_at_ms or not self.is_open(campaign.id):
            code = "draw_closed"
        if code is not None:
            book.reject("enter-draw", data.entry_id, code)
            return
        taken = book.take(campaign.draw.entry_cost)
        if taken:
            book.active()
            book.say("point-redeemed", points=amount_of(taken), entry_id=data.entry_id, grants=told(taken))
        award = {
            "campaign": campaign,
            "count": 1,
            "order": None,
            "kind": "entry",
            "entries": [],
            "gift": None,
        }
        book.awards.append(award)
        self.add_entry(book, campaign.id, data.entry_id)

    def add_entry(self, book, campaign_id, entry_id):
        book.ids.add(("entry", campaign_id, entry_id))
        entry = {"campaign": campaign_id, "entry": entry_id, "customer": book.customer}
        self.entries.append(entry)
        book.say("draw-entered", entry_id=entry_id, campaign_id=campaign_id)
        return entry

    def forget(self, customer):
        """An erased customer takes part in no draw that is not held."""
        self.entries = [
            each for each in self.entries if each["customer"] != customer or each["campaign"] in self.revealed
        ]

    def may_reveal(self, campaign_id, seed, at):
        """It is the seed that was committed to, and the draw is over."""
        terms = self.terms(campaign_id)
        if terms is None:
            return False
        draw, ends_at = terms
        return at >= ends_at and hashlib.sha256(seed.encode()).hexdigest() == draw.seed_commitment

    def draw(self, campaign_id, seed, at):
        """The winners: the entries with the smallest HMAC under the seed. Once."""
        if campaign_id in self.drawn:
            return
        self.drawn.add(campaign_id)
        draw, _ = self.terms(campaign_id)
        entries = [each for each in self.entries if each["campaign"] == campaign_id]
        proofs = sorted(
            (
                hmac.new(seed.encode(), each["entry"].encode(), "sha256").hexdigest(),
                each["entry"],
                each["customer"],
            )
            for each in entries
        )
        places = [prize.id for prize in draw.prizes for _ in range(prize.winners)]
        for prize, (proof, entry, customer) in zip(places, proofs, strict=False):
            book = self.world.book(customer)
            book.begin("loyalty-stream", "won", at, self.world.clock)
            book.say("draw-won", entry_id=entry, campaign_id=campaign_id, prize=prize, proof=proof)
            self.give(book, prize, 1, campaign_id)
            self.world.settle_late(book, at)


__all__ = ["Mall", "when"]
