"""Random histories: few customers and few ids, so that facts meet, repeat, contradict and overtake each other."""

from datetime import UTC, datetime, timedelta

import msgspec
from random_programmes import DAY_MS, MINUTE_MS, SEEDS, START_MS, campaign, table

from loyalty_stream.domain import announcements, facts

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
AMOUNTS = [10000, 10000, 6000, 5000, 950, 40, 0, 10001]
STEPS_MS = [
    0,
    1,
    1,
    MINUTE_MS,
    10 * MINUTE_MS,
    10 * MINUTE_MS,
    31 * MINUTE_MS,
    31 * MINUTE_MS,
    DAY_MS,
    3 * DAY_MS,
]
LEAPS_MS = [*STEPS_MS, *STEPS_MS, 30 * DAY_MS, 70 * DAY_MS]
LATE_MS = [0, 0, 0, 0, 0, 0, 5 * MINUTE_MS, 2 * DAY_MS, 35 * DAY_MS]
CUSTOMERS = ["ann", "bob", "cy"]


class Historian:
    """Makes facts up; remembers what it made, so that refunds and holds often belong to something."""

    def __init__(self, random, rules, parts):
        self.random = random
        self.rules = rules
        self.parts = parts
        self.customers = CUSTOMERS[: random.choice([1, 1, 2, 3])]
        self.clock = START_MS + random.choice([0, 0, 60 * DAY_MS])
        self.steps = random.choice([STEPS_MS, STEPS_MS, LEAPS_MS])
        self.number = 0
        self.sizes = {}
        self.made = []
        self.draws = [each for each in rules.campaigns if each.draw is not None]
        """The campaigns with a draw that were told of so far."""
        self.has_live = random.random() < 0.3
        """Whether campaigns are published and withdrawn in the midst of it."""

    def history(self):
        length = self.random.randint(8, 26)
        while len(self.made) < length:
            story = self.random.choice(self.stories())
            story()
        return self.made[: length + 4]

    def stories(self):
        stories = [self.order, self.order, self.checkout, self.trifle, self.trifle, self.trifle, self.again]
        if "refunds" in self.parts:
            stories += [self.order_life, self.order_life, self.order_life]
        if "commands" in self.parts:
            stories += [self.command]
        if "mall" in self.parts:
            stories += [self.redeem, self.redeem]
        if "live" in self.parts and "campaigns" in self.parts and self.has_live:
            stories += [self.publish]
        if any(each.trigger == "review" for each in self.rules.campaigns):
            stories += [self.review, self.review]
        if "draws" in self.parts and self.draws:
            stories += [self.draw_life, self.enter]
        if "erasure" in self.parts:
            stories += [self.erase]
        return stories

    # -- making one ------------------------------------------------------------------------------------

    def add(self, kind, customer=None, late=None, **data):
        pick = self.random.choice
        self.clock += pick(self.steps)
        at = self.clock - (pick(LATE_MS) if late is None else late)
        self.number += 1
        made = kind(
            specversion="1.0",
            id=f"e{self.number}",
            source="/oracle",
            subject=customer or pick(self.customers),
            time=moment(at),
            data=kind.__annotations__["data"](**data),
        )
        self.made.append(made)
        return made

    def again(self):
        """A fact comes again: itself, or its content under a new id and time."""
        if not self.made:
            return
        fact = self.random.choice(self.made)
        if self.random.random() < 0.5 or isinstance(fact, announcements.Announcement):
            self.made.append(fact)
        else:
            data = {name: getattr(fact.data, name) for name in fact.data.__struct_fields__}
            self.add(type(fact), fact.subject, **data)

    # -- orders and holds ------------------------------------------------------------------------------

    def some(self, prefix, count=6):
        return f"{prefix}{self.random.randrange(count)}"

    def lines(self):
        pick = self.random.choice
        return tuple(
            facts.OrderLine(
                line_id=f"l{number}",
                sku=pick(["tea", "cup"]),
                category=pick([None, "food", "home"]),
                quantity=1,
                amount=pick(AMOUNTS),
            )
            for number in range(pick([1, 1, 1, 2, 3]))
        )

    def order(self, customer=None, order_id=None, hold_id=None):
        pick = self.random.choice
        lines = self.lines()
        discount = pick([0, 0, 0, 500, 60000])
        order_id = order_id or self.some("o")
        self.sizes.setdefault(order_id, (lines, discount))
        return self.add(
            facts.OrderPaid,
            customer,
            order_id=order_id,
            currency="CNY",
            lines=lines,
            discount_amount=discount,
            shipping_amount=pick([0, 800]),
            hold_id=hold_id or pick([None, None, None, self.some("h", 4)]),
        )

    def hold(self, customer, hold_id):
        pick = self.random.choice
        return self.add(
            facts.HoldPoints,
            customer,
            hold_id=hold_id,
            points=pick([20, 50, 100, 30, 10, 1, 7]),
            order_id=pick([None, None, self.some("o")]),
            order_amount=pick([None, None, None, 0, 100, 10000]),
        )

    def refund(self, customer, order_id, amount=None):
        random = self.random
        lines, discount = self.sizes.get(order_id, ((), 0))
        goods = sum(line.amount for line in lines)
        net = max(goods - discount, 0)
        parts = None
        if amount is None:
            amount = random.choice([net, net // 2, net // 3, 1, net + 1, 100, 0])
        if lines and random.random() < 0.4:
            line = random.choice(lines)
            amount = random.choice([line.amount, line.amount // 2, line.amount // 3])
            parts = (facts.RefundLine(line_id=random.choice([line.line_id] * 9 + ["l9"]), amount=amount),)
            amount += random.choice([0] * 9 + [1])
        return self.add(
            facts.OrderRefunded,
            customer,
            order_id=order_id,
            refund_id=self.some("r", 9),
            amount=amount,
            lines=parts,
        )

    def checkout(self):
        customer, hold_id, random = random_of(self), self.some("h", 4), self.random
        steps = [
            lambda: self.order(customer),
            lambda: self.hold(customer, hold_id),
            lambda: self.order(customer, hold_id=hold_id),
            lambda: self.add(
                random.choice([facts.ConfirmHold, facts.ReleaseHold]), customer, hold_id=hold_id
            ),
        ]
        if random.random() < 0.3:
            random.shuffle(steps)
        for step in steps[: random.randint(2, 4)]:
            step()

    def order_life(self):
        """An order from payment to its end, mostly in order."""
        customer, order_id, random = random_of(self), self.some("o", 9), self.random
        steps = [
            lambda: self.order(customer, order_id),
            *random.sample(
                [
                    lambda: self.add(facts.OrderCompleted, customer, order_id=order_id),
                    lambda: self.add(facts.OrderCancelled, customer, order_id=order_id),
                    lambda: self.refund(customer, order_id),
                    lambda: self.refund(customer, order_id),
                    lambda: self.refund(customer, order_id),
                ],
                random.randint(1, 4),
            ),
        ]
        if random.random() < 0.5:
            hold_id = self.some("h", 4)
            steps[0] = lambda: self.order(customer, order_id, hold_id)
            steps.insert(0, lambda: self.hold(customer, hold_id))
        if random.random() < 0.25:
            random.shuffle(steps)
        for step in steps:
            step()

    # -- all else --------------------------------------------------------------------------------------

    def trifle(self):
        pick = self.random.choice
        kind = self.random.randrange(8)
        if kind == 0:
            self.review()
        elif kind == 1:
            self.add(facts.ShareCompleted, share_id=self.some("s", 5), channel="wechat")
        elif kind in (2, 3):
            customer = random_of(self)
            for _ in range(pick([1, 1, 3, 4])):
                self.add(facts.CheckedIn, customer, late=pick([0, 0, 0, DAY_MS]))
                if self.random.random() < 0.8:
                    self.clock += DAY_MS
        elif kind == 4:
            self.add(
                facts.GamePlayed,
                game_id=pick(["spin", "gone"]),
                play_id=self.some("p", 5),
                score=pick([0, 99, 100]),
            )
        elif kind == 5:
            self.add(facts.SurveySubmitted, survey_id=pick(["nps", "x"]), response_id=self.some("q", 5))
        elif kind == 6:
            self.add(
                facts.ActivityAttended, activity_id="fair", attendance_id=self.some("a", 5), mode="offline"
            )
        else:
            self.register()

    def review(self):
        """A review; at times it is removed, before or after it comes."""
        pick, review_id, customer = self.random.choice, self.some("v", 5), random_of(self)
        steps = [
            lambda: self.add(
                facts.ReviewPublished,
                customer,
                review_id=review_id,
                sku=pick(["tea", "cup"]),
                rating=5,
                order_id=pick([None, self.some("o")]),
                has_photo=pick([True, False]),
            )
        ]
        if "refunds" in self.parts and self.random.random() < 0.4:
            steps.insert(
                pick([0, 1, 1, 1]), lambda: self.add(facts.ReviewRemoved, customer, review_id=review_id)
            )
        for step in steps:
            step()

    def register(self):
        pick = self.random.choice
        self.add(
            facts.CustomerRegistered,
            segments=pick([(), ("vip",)]),
            referred_by=pick([None, *CUSTOMERS]) if "commands" in self.parts else None,
        )
        if self.random.random() < 0.3:
            self.add(facts.CustomerUpdated, segments=pick([(), ("vip",)]))

    def command(self):
        pick = self.random.choice
        kind = self.random.randrange(3 if "refunds" in self.parts else 2)
        if kind == 0:
            self.add(
                facts.AdjustPoints,
                adjustment_id=self.some("j", 5),
                points=pick([30, 5, -5, -20, -100]),
                reason="goodwill",
                operator="eve",
            )
        elif kind == 1:
            self.add(facts.GrantPoints, grant_id=self.some("g", 5), points=pick([1, 40]), reason="contest")
        else:
            self.add(facts.ReviewRemoved, review_id=self.some("v", 5))

    def redeem(self):
        pick = self.random.choice
        if self.random.random() < 0.3:
            self.add(facts.CancelRedemption, redemption_id=self.some("m", 6))
        else:
            self.add(
                facts.RedeemReward,
                redemption_id=self.some("m", 6),
                reward_id=pick(["mug", "mug", "voucher", "voucher", "car"]),
                quantity=pick([1, 1, 1, 2]),
            )

    def announce(self, kind, campaign_id, data):
        self.number += 1
        self.made.append(
            kind(
                specversion="1.0",
                id=f"e{self.number}",
                source="/oracle",
                subject=campaign_id,
                time=moment(self.clock),
                data=data,
            )
        )

    def publish(self):
        """A campaign, a new version of one, or the end of one; some announced too late."""
        random, number = self.random, self.random.randrange(3)
        self.clock += random.choice(self.steps)
        effective_at = self.clock + random.choice([MINUTE_MS] * 4 + [DAY_MS, MINUTE_MS - 1])
        if random.random() < 0.25:
            name, at = f"camp-{number}", moment(effective_at)
            data = announcements.CampaignWithdrawnData(id=name, effective_at=at)
            self.announce(announcements.CampaignWithdrawn, name, data)
            return
        extra = {"tiers": 1} if self.rules.tiers.levels else {}
        extra |= {"rewards": 1} if self.rules.rewards else {}
        one = campaign(random, number, self.parts, extra)
        if one.draw is not None:
            self.draws.append(one)
        data = msgspec.Raw(msgspec.json.encode(table(one, effective_at)))
        self.announce(announcements.CampaignPublished, one.id, data)
        self.clock += random.choice([0, MINUTE_MS, DAY_MS])

    def draw_life(self):
        """Entries by command and by order, and the seed: mostly the right one, mostly after the end."""
        random = self.random
        one = random.choice(self.draws)
        if random.random() < 0.7:
            self.clock = max(self.clock, one.starts_at_ms)
        for _ in range(random.randint(0, 3)):
            random.choice([self.enter, self.enter, self.order])()
        if random.random() < 0.3:
            self.erase()
        if random.random() < 0.6:
            self.clock = max(self.clock, one.ends_at_ms + random.choice([0, 0, DAY_MS]) - random.randrange(2))
        seed = random.choice([SEEDS[one.id]] * 9 + ["none"])
        data = announcements.DrawSeedRevealedData(campaign_id=one.id, seed=seed)
        self.announce(announcements.DrawSeedRevealed, one.id, data)

    def enter(self):
        known = [each.id for each in self.draws]
        self.add(
            facts.EnterDraw,
            entry_id=self.some("n", 9),
            campaign_id=self.random.choice([*known, *known, *known, "camp-0", "camp-9"]),
        )

    def erase(self):
        if self.random.random() < 0.2:
            customer = random_of(self)
            if self.random.random() < 0.3:
                self.hold(customer, self.some("h", 4))
            self.add(facts.EraseCustomer, customer, request_id=self.some("k", 3))


def moment(ms):
    return EPOCH + timedelta(milliseconds=ms)


def random_of(historian):
    return historian.random.choice(historian.customers)


def history(random, rules, parts):
    return Historian(random, rules, parts).history()
