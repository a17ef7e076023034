"""What customers say: satisfaction in surveys over time, by tier and by campaign, and the ratings of reviews."""

from collections.abc import Sequence
from math import sqrt
from typing import Final

from duckdb import DuckDBPyConnection
from msgspec import Struct

from loyalty_stream.analysis.reports.ledger_tables import Span, row, rows
from loyalty_stream.programme import Programme

TOP: Final = 10
"""Products shown."""
LEAST: Final = 1.0
MOST: Final = 5.0
Z: Final = 1.96
"""Standard errors that 95 % of means are within."""
FEWEST_RATINGS: Final = 5
"""Of a product, to be shown among the best and the worst."""


class Score(Struct, frozen=True):
    """Answers from 1 to 5 of a group: their mean with its 95 % confidence interval, and how many of each."""

    of: str
    """A month, tier, campaign, survey or product."""
    answers: int
    mean: float
    low: float
    high: float
    satisfied: float
    """Share of 4 and 5."""
    counts: tuple[int, int, int, int, int]


class CampaignScore(Struct, frozen=True):
    """Satisfaction from the campaign's start on, of who takes part against everybody else."""

    campaign: str
    theme: str
    participants: Score | None
    others: Score | None


class FeedbackReport(Struct, frozen=True):
    """Satisfaction and ratings; None and empty where nobody answered."""

    data: Span
    satisfaction: Score | None
    months: tuple[Score, ...]
    tiers: tuple[Score, ...]
    """By the tier at the time of the answer; empty: below the first."""
    surveys: tuple[Score, ...]
    campaigns: tuple[CampaignScore, ...]
    ratings: Score | None
    """Of reviews that were not removed."""
    rating_months: tuple[Score, ...]
    best: tuple[Score, ...]
    worst: tuple[Score, ...]
    """Products by their mean rating, of those with at least five ratings."""
    removed: int
    """Reviews that were removed."""


_GATHER: Final = """
CREATE OR REPLACE TEMP TABLE answer AS
SELECT a.customer, a."local", a.survey_id, a.satisfaction AS stars, coalesce(t.tier, '') AS tier
FROM (SELECT * FROM applied WHERE "type" = 'survey-submitted' AND satisfaction IS NOT NULL) a
ASOF LEFT JOIN tier_step t ON t.customer = a.customer AND a."local" > t."local";

CREATE OR REPLACE TEMP TABLE review AS
SELECT customer, "local", sku, rating AS stars FROM applied a
WHERE "type" = 'review-published' AND NOT EXISTS (
    SELECT 1 FROM applied r
    WHERE r."type" = 'review-removed' AND r.customer = a.customer AND r.review_id = a.review_id);
"""
_SCORE: Final = """
SELECT {of}, [count(*) FILTER (stars = 1), count(*) FILTER (stars = 2), count(*) FILTER (stars = 3),
    count(*) FILTER (stars = 4), count(*) FILTER (stars = 5)]
FROM {table} WHERE {where} GROUP BY 1
"""
_SINCE: Final = '"local" >= local_time($starts)'
_TOOK_PART: Final = """
customer IN (SELECT customer FROM points_events WHERE campaign_id = $campaign
    AND "type" IN ('point-granted', 'draw-entered', 'reward-issued'))
"""


def feedback_report(connection: DuckDBPyConnection, data: Span, programme: Programme) -> FeedbackReport:
    """The report over all answers and reviews that the ledger took."""
    connection.execute(_GATHER)
    by_month = "strftime(date_trunc('month', \"local\"), '%Y-%m')"
    products = sorted(
        (each for each in _scores(connection, "review", "sku") if each.answers >= FEWEST_RATINGS),
        key=lambda score: (-score.mean, -score.answers, score.of),
    )
    (removed,) = row(
        connection,
        "SELECT count(DISTINCT (customer, review_id)) FROM applied WHERE \"type\" = 'review-removed'",
    )
    return FeedbackReport(
        data=data,
        satisfaction=_one(connection, "answer"),
        months=_scores(connection, "answer", by_month),
        tiers=_scores(connection, "answer", "tier"),
        surveys=_scores(connection, "answer", "survey_id"),
        campaigns=_campaigns(connection, programme),
        ratings=_one(connection, "review"),
        rating_months=_scores(connection, "review", by_month),
        best=tuple(products[:TOP]),
        worst=tuple(reversed(products[TOP:][-TOP:])),
        removed=removed,
    )


def _campaigns(connection: DuckDBPyConnection, programme: Programme) -> tuple[CampaignScore, ...]:
    published = rows(
        connection,
        """SELECT campaign_id, max_by(json_extract_string(data, '$.theme'), "time"),
            max_by(json_extract_string(data, '$.starts_at'), "time") FROM facts
        WHERE "type" = 'campaign-published' GROUP BY ALL""",
    )
    known = {campaign: (theme, starts) for campaign, theme, starts in published} | {
        campaign.id: (campaign.theme, campaign.starts_at.isoformat()) for campaign in programme.campaigns
    }
    scores = []
    for campaign, (theme, starts) in sorted(known.items(), key=lambda item: (item[1][1], item[0])):
        given = {"campaign": campaign, "starts": starts}
        participants = _one(connection, "answer", f"{_SINCE} AND {_TOOK_PART}", **given)
        if participants is not None:
            others = _one(connection, "answer", f"{_SINCE} AND NOT {_TOOK_PART}", **given)
            scores.append(CampaignScore(campaign, theme, participants, others))
    return tuple(scores)


def _one(connection: DuckDBPyConnection, table: str, where: str = "true", **given: str) -> Score | None:
    scores = _scores(connection, table, "''", where, **given)
    return scores[0] if scores else None


def _scores(
    connection: DuckDBPyConnection, table: str, of: str, where: str = "true", **given: str
) -> tuple[Score, ...]:
    query = _SCORE.format(of=of, table=table, where=where)
    return tuple(score(str(name), counts) for name, counts in sorted(rows(connection, query, **given)))


def score(of: str, counts: Sequence[int]) -> Score:
    """The score of so many answers of 1, 2, 3, 4 and 5."""
    answers = sum(counts)
    mean = sum(stars * count for stars, count in enumerate(counts, 1)) / answers
    squares = sum((stars - mean) ** 2 * count for stars, count in enumerate(counts, 1))
    margin = Z * sqrt(squares / (answers - 1) / answers) if answers > 1 else MOST - LEAST
    ones, twos, threes, fours, fives = counts
    return Score(
        of=of,
        answers=answers,
        mean=mean,
        low=max(LEAST, mean - margin),
        high=min(MOST, mean + margin),
        satisfied=(fours + fives) / answers,
        counts=(ones, twos, threes, fours, fives),
    )
