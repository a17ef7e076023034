"""The topics of a deployment: what each needs, creating them, and telling where an existing one differs."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import for_code

from loyalty_stream.app.mendable import MendableError
from loyalty_stream.app.settings import ALLOCATIONS, INPUTS, STAGES, Settings

_FOREVER = "-1"
_DAY = str(86_400_000)
_INPUT_BYTES = str(2 * 1024 * 1024)
_OUTPUT_BYTES = str(3 * 1024 * 1024)  # a dead letter is an input record and its headers
_LED_WITHIN_SECONDS: Final = 60.0
"""Much more than it takes: a blink, some seconds on a machine that is full."""


class NoLeaderError(MendableError):
    """Topics are created, and nobody leads them; the message says what to do."""


@dataclass(frozen=True, slots=True)
class TopicPlan:
    """A topic as it should be."""

    name: str
    partitions: int
    config: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TopicReport:
    """What `create` found or did. `differences` are settings that are not as planned, in words."""

    name: str
    created: bool
    differences: tuple[str, ...] = ()


def plan(settings: Settings, partitions: int) -> list[TopicPlan]:
    """Every topic of the deployment. All of one partition count: outputs stay on the customer's partition."""
    # LogAppendTime: the broker's own clock is what "a day ahead" is measured by, not the producer's.
    facts = {
        "cleanup.policy": "delete",
        "message.timestamp.type": "LogAppendTime",
        "max.message.bytes": _INPUT_BYTES,
    }
    # Kept for ever and not compacted: every worker reads it from its beginning to know the versions of campaigns.
    campaigns = facts | {"retention.ms": _FOREVER}
    ledger = {"cleanup.policy": "delete", "retention.ms": _FOREVER, "max.message.bytes": _OUTPUT_BYTES}
    tables = {
        "cleanup.policy": "compact",
        "max.message.bytes": _OUTPUT_BYTES,
        "min.cleanable.dirty.ratio": "0.3",
        # What is deleted is gone from the disks after this long, tombstones after as long again (docs/privacy.md).
        "max.compaction.lag.ms": _DAY,
        "delete.retention.ms": _DAY,
    }
    told = {
        "cleanup.policy": "delete",
        "retention.ms": str(30 * 86_400_000),
        "max.message.bytes": _OUTPUT_BYTES,
    }
    # Read at once, and again only when a stage was down for so long.
    asked = {
        "cleanup.policy": "delete",
        "retention.ms": str(30 * 86_400_000),
        "max.message.bytes": _OUTPUT_BYTES,
    }
    dead = {
        "cleanup.policy": "delete",
        "retention.ms": str(90 * 86_400_000),
        "max.message.bytes": _OUTPUT_BYTES,
    }
    plans = [
        TopicPlan(settings.topic(kind), partitions, campaigns if kind == "campaigns" else facts)
        for kind in INPUTS
    ]
    plans.append(TopicPlan(settings.topic("points-events"), partitions, ledger))
    plans.append(TopicPlan(settings.topic("dead-letters"), partitions, dead))
    plans.append(TopicPlan(settings.topic("notifications"), partitions, told))
    # Needed by [privacy] subject = "pseudonym" only, and empty without it.
    plans.append(TopicPlan(settings.topic("identities"), partitions, tables))
    plans += [TopicPlan(settings.topic(kind), partitions, asked) for kind in ALLOCATIONS]
    # Needed by [[leaderboards]] only.
    plans += [TopicPlan(settings.topic(kind), partitions, asked) for kind in ("board-times", "board-parts")]
    plans.append(TopicPlan(settings.topic("leaderboards"), partitions, tables))
    plans += [
        TopicPlan(settings.changelog_of(stage), partitions, tables) for stage in ("boards", "leaderboards")
    ]
    plans.append(TopicPlan(settings.topic("campaign-counts"), partitions, asked))
    plans.append(TopicPlan(settings.topic("campaign-stats"), partitions, tables))
    plans += [TopicPlan(settings.changelog_of(stage), partitions, tables) for stage in STAGES["statistics"]]
    plans.append(TopicPlan(settings.changelog, partitions, tables))
    plans.append(TopicPlan(settings.changelog_of("allocation"), partitions, tables))
    plans.append(TopicPlan(settings.told, partitions, tables))
    plans.append(TopicPlan(settings.campaign_starts, partitions, tables))
    # Faust elects a leader on this one; with topic creation forbidden it must be there beforehand.
    plans.append(
        TopicPlan(leader_topic(settings), 1, {"cleanup.policy": "delete", "retention.ms": "86400000"})
    )
    return plans


def leader_topic(settings: Settings) -> str:
    """The topic that Faust makes for its own leader election."""
    return f"{settings.app_id}-__assignor-__leader"


async def create(settings: Settings, partitions: int, replication: int) -> list[TopicReport]:
    """Create what is missing, change nothing that exists, and report on every topic. Idempotent.

    What was created can be written and read on return. Raises NoLeaderError where that does not come about.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.bootstrap_servers, **settings.connection)
    await admin.start()
    try:
        plans = plan(settings, partitions)
        existing = set(await admin.list_topics())
        missing = [each for each in plans if each.name not in existing]
        if missing:
            new = [
                NewTopic(each.name, each.partitions, replication, topic_configs=each.config)
                for each in missing
            ]
            response = await admin.create_topics(new)
            for name, code, *message in response.topic_errors:
                if code not in {0, 36}:  # 36: another command has created it meanwhile
                    raise for_code(code)(f"creating topic {name}: {message[0] if message else ''}")
            await _wait_until_led(admin, [each.name for each in missing])
        reports = [TopicReport(each.name, created=True) for each in missing]
        for each in plans:
            if each.name in existing:
                differences = await _differences(admin, each)
                reports.append(TopicReport(each.name, created=False, differences=tuple(differences)))
        return reports
    finally:
        await admin.close()


async def _wait_until_led(admin: AIOKafkaAdminClient, names: Sequence[str]) -> None:
    """Wait until every partition is known to have a leader.

    The controller says "created" before the brokers have heard of it: a worker that is started at once would be told
    that there are no such topics.
    """
    ends = monotonic() + _LED_WITHIN_SECONDS
    while behind := [
        topic["topic"] for topic in await admin.describe_topics(list(names)) if not _is_led(topic)
    ]:
        if monotonic() >= ends:
            raise NoLeaderError(
                f"created, but without a leader after {_LED_WITHIN_SECONDS:g} s: {', '.join(behind)}. "
                "Are all brokers up? The topics stay; what comes of them, the brokers' logs tell"
            )
        await asyncio.sleep(0.1)


def _is_led(topic: Mapping[str, Any]) -> bool:
    partitions = topic["partitions"]
    return (
        not topic["error_code"]
        and bool(partitions)
        and all(not each["error_code"] and each["leader"] >= 0 for each in partitions)
    )


async def partition_counts(settings: Settings) -> dict[str, int]:
    """How many partitions each existing topic of the deployment has."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.bootstrap_servers, **settings.connection)
    await admin.start()
    try:
        wanted = [each.name for each in plan(settings, 1)]
        described = await admin.describe_topics(
            [name for name in wanted if name in await admin.list_topics()]
        )
        return {topic["topic"]: len(topic["partitions"]) for topic in described}
    finally:
        await admin.close()


async def _differences(admin: AIOKafkaAdminClient, wanted: TopicPlan) -> list[str]:
    differences = []
    described = (await admin.describe_topics([wanted.name]))[0]
    count = len(described["partitions"])
    if count != wanted.partitions:
        differences.append(f"has {count} partitions, not {wanted.partitions}")
    responses = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, wanted.name)])
    actual = {
        entry[0]: entry[1] for response in responses for found in response.resources for entry in found[4]
    }
    for key, value in wanted.config.items():
        if key in actual and actual[key] != value:
            differences.append(f"{key} is {actual[key]}, not {value}")
    return differences
