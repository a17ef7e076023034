"""The campaigns topic through the ledger stage: published live, withdrawn, wrong ones set aside once."""

import json
from typing import Any

import msgspec
import pytest

from loyalty_stream.app.simulate import Simulation
from loyalty_stream.domain.rules import Reward, Rules
from loyalty_stream.engine.memory_log import StoredRecord
from loyalty_stream.wire.partitioning import partition_of
from loyalty_stream.wire.reasons import Reason
from tests.app.test_ledger import Partition
from tests.domain import given

CAMPAIGN = {
    "id": "week",
    "starts_at": "2026-03-01T00:00:00+08:00",
    "ends_at": "2026-03-08T00:00:00+08:00",
    "award": {"points": 300},
    "accumulate": False,
    "minimum_amount": 10000,
    "per_customer_limit": 0,
    "budget_points": 0,
}


def announced(kind: str, event_id: str, at: str, data: dict[str, Any], subject: str = "week") -> bytes:
    return json.dumps(
        {
            "specversion": "1.0",
            "id": event_id,
            "source": "/marketing",
            "type": kind,
            "subject": subject,
            "time": given.moment(at).isoformat(),
            "data": data,
        }
    ).encode()


def published(event_id: str, at: str, effective: str, **more: Any) -> bytes:
    data = {**CAMPAIGN, "effective_at": given.moment(effective).isoformat(), **more}
    return announced("campaign-published", event_id, at, data)


def withdrawn(event_id: str, at: str, effective: str) -> bytes:
    data = {"id": "week", "effective_at": given.moment(effective).isoformat()}
    return announced("campaign-withdrawn", event_id, at, data)


def hear(partition: Partition, value: bytes) -> None:
    record = StoredRecord(0, given.ms("2030-01-01 00:00"), b"week", value)
    partition.processor.heard("campaigns", record)


def campaign_points(partition: Partition, order_id: str, at: str) -> list[tuple[int, int]]:
    """Points and version of what the campaign grants for an order of 100 yuan."""
    made = partition.take(given.order_paid(order_id, at))
    return [(e.data.points, e.data.rule_version) for e in made if getattr(e.data, "campaign_id", None)]


def test_a_published_campaign_is_at_work_from_its_effective_at_until_it_is_withdrawn() -> None:
    partition = Partition(given.PLAIN)
    hear(partition, published("p-1", "2026-03-01 09:00", "2026-03-02 00:00"))
    hear(partition, published("p-2", "2026-03-01 09:00", "2026-03-04 00:00", version=2, award={"points": 5}))
    hear(partition, withdrawn("w-1", "2026-03-01 09:00", "2026-03-06 00:00"))
    made = [
        campaign_points(partition, f"o-{at}", at.replace("T", " "))
        for at in ("2026-03-01T12:00", "2026-03-02T00:00", "2026-03-04T00:00", "2026-03-06T00:00")
    ]
    assert made == [[], [(300, 1)], [(5, 2)], []]


def test_what_is_heard_while_at_work_counts_from_the_next_event_on() -> None:
    partition = Partition(given.PLAIN)
    assert campaign_points(partition, "o-1", "2026-03-02 10:00") == []
    hear(partition, published("p-1", "2026-03-02 10:00", "2026-03-02 10:01"))
    assert campaign_points(partition, "o-2", "2026-03-02 10:02") == [(300, 1)]


def test_a_version_of_the_programme_file_is_replaced_by_a_published_one() -> None:
    from tests.domain.given_campaigns import campaign, with_campaigns  # noqa: PLC0415

    partition = Partition(with_campaigns(campaign("week")))
    hear(partition, published("p-1", "2026-03-01 09:00", "2026-03-03 00:00", version=2, award={"points": 5}))
    assert campaign_points(partition, "o-1", "2026-03-02 23:59") == [(300, 1)]
    assert campaign_points(partition, "o-2", "2026-03-03 00:00") == [(5, 2)]


def test_a_publication_that_comes_again_changes_nothing() -> None:
    """Of two versions with one `effective_at` the later one counts, however often the first is delivered."""
    partition = Partition(given.PLAIN)
    first = published("p-1", "2026-03-01 09:00", "2026-03-02 00:00")
    hear(partition, first)
    hear(partition, published("p-2", "2026-03-01 09:00", "2026-03-02 00:00", version=2, award={"points": 5}))
    hear(partition, first)
    assert campaign_points(partition, "o-1", "2026-03-02 10:00") == [(5, 2)]


def rules() -> Rules:
    cup = Reward("tea-cup", "goods", 500, 0, 0)
    return msgspec.structs.replace(given.PLAIN, rewards={"tea-cup": cup})


WRONG = [
    (published("p", "2026-03-01 09:00", "2026-03-01 09:00:59"), "$.data.effective_at"),
    (published("p", "2026-03-01 09:00", "2026-03-02 00:00", id="other"), "$.data.id"),
    (published("p", "2026-03-01 09:00", "2026-03-02 00:00", award={"gift": "mug"}), "$.data.award.gift"),
    (published("p", "2026-03-01 09:00", "2026-03-02 00:00", award={}), "$.data.award"),
    (
        published("p", "2026-03-01 09:00", "2026-03-02 00:00", audience={"tiers": ["gold"]}),
        "$.data.audience.tiers[0]",
    ),
    (published("p", "2026-03-01 09:00", "2026-03-02 00:00", priority="high"), "$.data.priority"),
    (
        published("p", "2026-03-01 09:00", "2026-03-02 00:00", ends_at="2026-02-01T00:00:00Z"),
        "$.data.ends_at",
    ),
    (withdrawn("w", "2026-03-01 09:00", "2026-03-01 09:00:59"), "$.data.effective_at"),
    (
        announced("draw-seed-revealed", "s", "2026-03-01 09:00", {"campaign_id": "x", "seed": "s"}),
        "$.data.campaign_id",
    ),
]


@pytest.mark.parametrize(("value", "place"), WRONG)
def test_what_is_wrong_is_set_aside_by_its_own_partition_and_changes_nothing(
    value: bytes, place: str
) -> None:
    partition = Partition(rules())
    hear(partition, value)
    assert campaign_points(partition, "o-1", "2026-03-02 10:00") == []
    assert partition.letters() == []
    partition.take_record("campaigns", b"week", value)
    ((key, kept, said),) = partition.letters()
    assert (key, kept, said.reason) == (b"week", value, Reason.INVALID_CAMPAIGN)
    assert place in said.message


def test_data_that_is_no_object_is_refused_with_the_place() -> None:
    partition = Partition(rules())
    value = published("p", "2026-03-01 09:00", "2026-03-02 00:00")
    whole = json.loads(value) | {"data": [1]}
    partition.take_record("campaigns", b"week", json.dumps(whole).encode())
    assert [said.reason for _, _, said in partition.letters()] == [Reason.WRONG_TYPE]


@pytest.mark.parametrize(
    "value",
    [
        published("p", "2026-03-01 09:00", "2026-03-02 00:00", unknown_key=1, award={"points": 1, "more": 2}),
        published("p", "2026-03-01 09:00", "2026-03-02 00:00", award={"gift": "tea-cup"}),
        withdrawn("w", "2026-03-01 09:00", "2026-03-01 09:01"),
    ],
)
def test_sound_ones_pass_their_own_partition_without_an_account(value: bytes) -> None:
    partition = Partition(rules())
    hear(partition, value)
    partition.take_record("campaigns", b"week", value)
    assert partition.letters() == []
    assert partition.commit() == {}


def test_the_stage_hears_the_topic_whose_key_is_the_campaign() -> None:
    partition = Partition(rules(), partitions=4, number=partition_of(b"week", 4))
    assert list(partition.stage.broadcasts) == ["campaigns"]
    assert "campaigns" in partition.stage.inputs


# -- simulate -------------------------------------------------------------------------------------------


def test_simulate_takes_announcements_among_the_lines() -> None:
    simulation = Simulation(given.PLAIN)
    lines = [
        msgspec.json.encode(given.order_paid("o-1", "2026-03-01 08:00")),
        published("p-1", "2026-03-01 09:00", "2026-03-02 00:00"),
        msgspec.json.encode(given.order_paid("o-2", "2026-03-01 10:00")),
        msgspec.json.encode(given.order_paid("o-3", "2026-03-02 10:00")),
        withdrawn("w-1", "2026-03-02 11:00", "2026-03-02 11:01"),
        msgspec.json.encode(given.order_paid("o-4", "2026-03-02 12:00")),
    ]
    made = []
    for number, line in enumerate(lines, 1):
        events, bad = simulation.apply(number, line)
        assert bad is None
        made.append([json.loads(event)["data"].get("rule") for event in events])
        if number == 4:
            simulation.store()
    assert made == [["base"], [], ["base"], ["base", "campaign:week"], [], ["base"]]


def test_simulate_says_which_line_is_wrong() -> None:
    simulation = Simulation(given.PLAIN)
    _, bad = simulation.apply(7, WRONG[0][0])
    assert bad is not None
    assert (bad.number, bad.reason) == (7, Reason.INVALID_CAMPAIGN)
