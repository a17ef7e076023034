"""The whole programme file as one value, with the checks that look across its sections.

Defaults are DOMAIN.md's "Programme file". It must not know how the file is read or what the ledger acts on.
"""

from collections.abc import Iterator
from datetime import timedelta
from difflib import get_close_matches
from fractions import Fraction
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, Field, PrivateAttr, ValidationInfo, WithJsonSchema, field_validator

from loyalty_stream.domain.rules import Period
from loyalty_stream.programme.campaigns import Campaign
from loyalty_stream.programme.earning import Earning, Game, Survey
from loyalty_stream.programme.lists import unique
from loyalty_stream.programme.mistakes import KeyPath, Source, must_name, raise_all, shown, wrong
from loyalty_stream.programme.periods import DAY_MS, FixedLength, mean_ms
from loyalty_stream.programme.spending import Availability, Expiry, Redemption, Refunds
from loyalty_stream.programme.standing import CAMPAIGN_METRIC, Leaderboard, Reward, Tiers
from loyalty_stream.programme.values import (
    MAX_RATE,
    Amount,
    Count,
    CountAboveZero,
    Id,
    ListOf,
    Section,
    Share,
    Total,
    Uplift,
)

_NO_ZONES: Final = ("localtime", "posixrules", "Factory", "posix/", "right/")
"""Files beside the zones: what they say differs by machine, or counts leap seconds, which no event does."""
_CURRENCY: Final = "^[A-Z]{3}$"


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
        sound = not name.startswith(_NO_ZONES)
    except (KeyError, ValueError, OSError):  # OSError: the name of a directory, such as "Asia"
        sound = False
    if not sound:
        near = get_close_matches(name, available_timezones(), n=1)
        advice = f'; did you mean "{near[0]}"?' if near and not near[0].startswith(_NO_ZONES) else ""
        raise wrong(f'must be an IANA time zone such as "Asia/Shanghai", is {shown(name)}{advice}')
    return name


def _remembered(retention: Period) -> Period:
    if mean_ms(retention) < DAY_MS:
        raise wrong(
            f'must be at least "P1D", for daily limits are counted over it, is {shown(retention.text)}'
        )
    return retention


def _currency(code: str) -> str:
    if not (len(code) == 3 and code.isascii() and code.isalpha() and code.isupper()):
        raise wrong(f'must be three capitals of ISO 4217, such as "CNY", is {shown(code)}')
    return code


class About(Section):
    """What the programme is, and the calendar and currency that it counts in."""

    id: Id = Field("mall", description="Names the programme.")
    version: CountAboveZero = Field(1, description="Raised with each change; a grant records it.")
    currency: Annotated[
        str, AfterValidator(_currency), WithJsonSchema({"type": "string", "pattern": _CURRENCY})
    ] = Field("CNY", description="ISO 4217 code; amounts are in its minor unit.")
    retention: Annotated[FixedLength, AfterValidator(_remembered)] = Field(
        Period("P800D", days=800),
        description="How long orders and used ids are remembered; older facts are dead-lettered (`too_old`). "
        "At least a day, and as long as hold time-out, delay, grace, the longest streak, the window of tiers "
        "and that of a campaign that accumulates.",
    )
    timezone: Annotated[
        str, AfterValidator(_zone), WithJsonSchema({"type": "string", "x-right": "IANA time zone"})
    ] = Field("Asia/Shanghai", description="Days, months and streaks are counted here.")


class Privacy(Section):
    """How customers are named in our topics."""

    subject: Literal["plain", "pseudonym"] = Field(
        "plain", description="By the platform's own id, which must be opaque, or by a random token."
    )


class Targets(Section):
    """Uplifts that are hoped for; reports show how far we are."""

    retention: Uplift = Field(Fraction("0.20"), description="Of customers who stay, as a share.")
    purchase_frequency: Uplift = Field(Fraction("0.15"), description="Of purchases per customer, as a share.")
    activity: Uplift = Field(Fraction("0.30"), description="Of active customers, as a share.")


class Finance(Section):
    """What reports on cost and benefit reckon with, in minor units."""

    unit_cost_amount: Amount = Field(1, description="Cost of a point, for liability and cost.")
    investment_amount: Total = Field(50_000_000, description="What the programme costs to set up.")
    baseline_annual_spend_amount: Total = Field(
        100_000, description="Spend per customer and year without it."
    )
    expected_annual_spend_amount: Total = Field(
        120_000, description="Spend per customer and year hoped for with it."
    )
    customers: Count = Field(100_000, description="How many there are.")
    gross_margin: Share = Field(Fraction("0.3"), description="Share of sales.")
    extra_sales_amount: Total = Field(300_000_000, description="Sales hoped for on top, per year.")
    targets: Targets | None = Field(None, description="Uplifts hoped for; left out: none.")


class Programme(Section):
    """A points programme. What a check looks at is judged once each part of it is right by itself."""

    programme: About = Field(About(), description="What the programme is.")
    earning: Earning = Field(Earning(), description="What points are given for.")
    games: Annotated[ListOf[Game], unique("id")] = Field((), description="Games that earn.")
    surveys: Annotated[ListOf[Survey], unique("id")] = Field((), description="Surveys that earn.")
    availability: Availability = Field(Availability(), description="When points can be spent.")
    expiry: Expiry = Field(Expiry(), description="When points expire.")
    redemption: Redemption = Field(Redemption(), description="What points are worth.")
    refunds: Refunds = Field(Refunds(), description="How points go back.")
    privacy: Privacy = Field(Privacy(), description="How customers are named.")
    tiers: Tiers | None = Field(None, description="Tiers.")
    rewards: Annotated[ListOf[Reward], unique("id")] = Field((), description="The reward mall.")
    campaigns: Annotated[ListOf[Campaign], unique("id")] = Field((), description="Campaigns.")
    leaderboards: Annotated[ListOf[Leaderboard], unique("id")] = Field((), description="Leaderboards.")
    finance: Finance = Field(Finance(), description="What reports reckon with.")

    _source: Source = PrivateAttr(default_factory=Source)

    @property
    def source(self) -> Source:
        """Where it was written, so that what is found out later can name file and line too."""
        return self._source

    def written_in(self, source: Source) -> "Programme":
        """The same programme, known to be written there."""
        self._source = source
        return self

    @field_validator("earning")
    @classmethod
    def _streaks_remembered(cls, earning: Earning, info: ValidationInfo) -> Earning:
        streaks = earning.check_in.streaks if earning.check_in else ()
        raise_all(
            found
            for index, streak in enumerate(streaks)
            for found in _forgotten(
                ("check_in", "streaks", index, "days"), streak.days * DAY_MS, str(streak.days), info
            )
        )
        return earning

    @field_validator("availability")
    @classmethod
    def _order_remembered(cls, availability: Availability, info: ValidationInfo) -> Availability:
        if availability.mode == "delay":
            delay = availability.delay
            raise_all(_forgotten(("delay",), mean_ms(delay), f'"{delay.text}"', info))
        return availability

    @field_validator("redemption")
    @classmethod
    def _hold_remembered(cls, redemption: Redemption, info: ValidationInfo) -> Redemption:
        timeout = redemption.hold_timeout
        raise_all(_forgotten(("hold_timeout",), mean_ms(timeout), f'"{timeout.text}"', info))
        return redemption

    @field_validator("tiers")
    @classmethod
    def _still_exact(cls, tiers: Tiers | None, info: ValidationInfo) -> Tiers | None:
        """An order's points are kept as an exact fraction; each side of it has to fit 64 bits (`values`)."""
        earning, found = info.data.get("earning"), []
        rules = earning.purchase if isinstance(earning, Earning) else ()
        for index, level in enumerate(tiers.levels if tiers else ()):
            for at, rule in enumerate(rules):
                numerator = level.multiplier.numerator * rule.points.numerator
                denominator = level.multiplier.denominator * rule.points.denominator
                if max(numerator, denominator) > MAX_RATE:
                    message = (
                        f"has too many digits: times earning.purchase[{at}].points it is {numerator}/{denominator}; "
                        f"both sides can be up to {MAX_RATE}"
                    )
                    found.append((("levels", index, "multiplier"), message))
        raise_all(found)
        return tiers

    @field_validator("tiers")
    @classmethod
    def _window_remembered(cls, tiers: Tiers | None, info: ValidationInfo) -> Tiers | None:
        if tiers is not None and isinstance(tiers.window, Period):
            window = tiers.window
            raise_all(_forgotten(("window",), mean_ms(window), f'"{window.text}"', info))
        return tiers

    @field_validator("rewards")
    @classmethod
    def _rewards_refer(cls, rewards: tuple[Reward, ...], info: ValidationInfo) -> tuple[Reward, ...]:
        raise_all(
            found
            for index, reward in enumerate(rewards)
            for found in _unknown_tiers((index, "tiers"), reward.tiers, info)
        )
        return rewards

    @field_validator("campaigns")
    @classmethod
    def _campaigns_refer(cls, campaigns: tuple[Campaign, ...], info: ValidationInfo) -> tuple[Campaign, ...]:
        found: list[tuple[KeyPath, str]] = []
        for index, campaign in enumerate(campaigns):
            found += _unknown_tiers((index, "audience", "tiers"), campaign.audience.tiers, info)
            if campaign.accumulate and campaign.trigger == "purchase":
                length = campaign.ends_at - campaign.starts_at
                now = f"{length.days} days after starts_at, with accumulate = true"
                found += _forgotten((index, "ends_at"), length // timedelta(milliseconds=1), now, info)
            gift, known = campaign.award.gift, _ids("rewards", info)
            if gift is not None and known is not None and gift not in known:
                found.append(((index, "award", "gift"), must_name("a reward", known, gift)))
            found += _too_few(index, campaign, info)
        raise_all(found)
        return campaigns

    @field_validator("leaderboards")
    @classmethod
    def _boards_refer(cls, boards: tuple[Leaderboard, ...], info: ValidationInfo) -> tuple[Leaderboard, ...]:
        found: list[tuple[KeyPath, str]] = []
        known = _ids("campaigns", info)
        for index, board in enumerate(boards):
            grace = board.grace
            found += _forgotten((index, "grace"), mean_ms(grace), f'"{grace.text}"', info)
            campaign = board.metric.removeprefix(CAMPAIGN_METRIC)
            if campaign != board.metric and known is not None and campaign not in known:
                found.append(((index, "metric"), must_name("a campaign", known, campaign)))
        raise_all(found)
        return boards


def _forgotten(
    path: KeyPath, length_ms: int, now: str, info: ValidationInfo
) -> Iterator[tuple[KeyPath, str]]:
    """What must not outlast the memory of the order, hold or day that it hangs on."""
    about = info.data.get("programme")
    if isinstance(about, About) and length_ms > mean_ms(about.retention):
        yield path, f'must be no longer than programme.retention "{about.retention.text}", is {now}'


def _ids(section: str, info: ValidationInfo) -> list[str] | None:
    """Ids of a section; None where the section has mistakes of its own, so that nothing follows from it."""
    entries: Any = info.data.get(section)
    return None if entries is None else [entry.id for entry in entries]


def _too_few(index: int, campaign: Campaign, info: ValidationInfo) -> Iterator[tuple[KeyPath, str]]:
    """Prizes that are rewards of which there are fewer than winners."""
    stocks = {reward.id: reward.stock for reward in info.data.get("rewards") or ()}
    for place, prize in enumerate(campaign.draw.prizes if campaign.draw else ()):
        stock = stocks.get(prize.id, 0)
        if 0 < stock < prize.winners:
            yield (
                (index, "draw", "prizes", place, "winners"),
                f"must be no more than the stock of {stock} of reward {shown(prize.id)}, is {prize.winners}",
            )


def _unknown_tiers(
    path: KeyPath, names: tuple[str, ...], info: ValidationInfo
) -> Iterator[tuple[KeyPath, str]]:
    if "tiers" not in info.data:
        return
    tiers = info.data["tiers"]
    known = [level.name for level in tiers.levels] if isinstance(tiers, Tiers) else []
    for index, name in enumerate(names):
        if name not in known:
            yield (*path, index), must_name("a tier", known, name)
