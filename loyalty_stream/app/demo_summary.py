"""What the demo adds up of events and accounts, as `verify` shows them. It prints nothing and reads no topic."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from loyalty_stream.domain import orders
from loyalty_stream.domain.account import Account
from loyalty_stream.domain.events import PointEvent, PointExpiring, PointGranted, TierChanged
from loyalty_stream.domain.fold_points import GRANT
from loyalty_stream.programme import Programme


@dataclass(frozen=True, slots=True)
class Customer:
    """A customer's year, in points and minor units."""

    granted: int
    name: str
    orders: int
    net_amount: int
    expired: int
    available: int
    tier: str
    """Empty: below the first."""


@dataclass(slots=True)
class CampaignCount:
    """What a campaign has come to so far, in points."""

    customers: set[str] = field(default_factory=set)
    granted: int = 0


class Summary:
    """Adds up events and accounts as `verify` shows them, under the programme that they came of."""

    def __init__(self, programme: Programme) -> None:
        self.programme = programme
        self.granted_for: Counter[str] = Counter()
        """Reason of the grant -> points."""
        self.reached: Counter[int] = Counter()
        """Minimum amount of a threshold -> orders that reached it."""
        self.warned: Counter[str] = Counter()
        """Customer -> warnings of points that were about to expire."""
        self.rewarded: Counter[str] = Counter()
        """Customer -> points for places on the leaderboard."""
        self.rises = 0
        self.campaigns: defaultdict[str, CampaignCount] = defaultdict(CampaignCount)
        self.customers: list[Customer] = []
        self._thresholds = [
            sorted(threshold.minimum_amount for threshold in rule.thresholds)
            for rule in programme.earning.purchase
        ]
        self._rules = {rule.id: place for place, rule in enumerate(programme.earning.purchase)}

    @property
    def largest_campaign(self) -> str:
        """The id of the campaign that granted most points; empty where none granted any."""
        return max(self.campaigns, key=lambda each: self.campaigns[each].granted, default="")

    def event(self, event: PointEvent) -> None:
        """Add an event of the ledger."""
        match event.data:
            case PointGranted():
                self._grant(event.subject, event.data)
            case TierChanged():
                self.rises += 1
            case PointExpiring():
                self.warned[event.subject] += 1
            case _:
                pass

    def account(self, name: str, account: Account) -> None:
        """Add a customer as the account is in the end."""
        net = sum(order.net_amount for order in orders.each(account))
        self.customers.append(
            Customer(
                account.granted,
                name,
                orders.count(account),
                net,
                account.expired,
                account.available,
                account.tier,
            )
        )

    def _grant(self, customer: str, grant: PointGranted) -> None:
        reason = "campaign" if grant.campaign_id else "leaderboard" if grant.rule == GRANT else grant.reason
        self.granted_for[reason] += grant.points
        if reason == "leaderboard":  # nobody else grants points by command here
            self.rewarded[customer] += grant.points
        if grant.campaign_id:
            count = self.campaigns[grant.campaign_id]
            count.customers.add(customer)
            count.granted += grant.points
        elif grant.reason == "threshold":
            self._reach(grant)

    def _reach(self, grant: PointGranted) -> None:
        base = grant.base_amount or 0
        for minimum in self._thresholds[self._rules[grant.rule]]:
            if base >= minimum:
                self.reached[minimum] += 1
