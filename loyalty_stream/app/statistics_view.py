"""What `campaign-stats` tells: the latest record of each key, kept up to date by reading on.

It must not know how it is shown.
"""

from collections.abc import Iterator

from loyalty_stream.app import topics
from loyalty_stream.app.mendable import MendableError
from loyalty_stream.app.read_log import log_reader
from loyalty_stream.app.settings import Settings
from loyalty_stream.domain.counts import IN_ALL, PROGRAMME, campaign_scope
from loyalty_stream.domain.statistics import CampaignCounted, Counted, ProgrammeCounted
from loyalty_stream.wire import statistics
from loyalty_stream.wire.statistics import UnreadableError


class NothingCountedError(MendableError):
    """There is nothing to show; the message says what to do."""


class Statistics:
    """The latest of everything that was published. `refresh` reads what has come since."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._latest: dict[str, Counted] = {}
        self._positions: dict[int, int] = {}

    async def refresh(self) -> None:
        """Read on to the end. NothingCountedError where the topic is missing, KafkaError as it comes."""
        topic = self._settings.topic("campaign-stats")
        counts = await topics.partition_counts(self._settings)
        if topic not in counts:
            raise NothingCountedError(
                f"topic {topic} is missing on {self._settings.bootstrap_servers}. "
                "Create it with `loyalty-stream topics create`"
            )
        async with log_reader(self._settings) as log:
            for partition in range(counts[topic]):
                start = self._positions.get(partition, 0)
                async for records in log.read(topic, partition, start=start):
                    for record in records:
                        self._positions[partition] = record.offset + 1
                        self._take(record.key, record.value)

    def programme(self) -> ProgrammeCounted | None:
        """Everything that was counted so far; None: nothing was."""
        found = self._latest.get(f"{PROGRAMME}@total")
        return found if isinstance(found, ProgrammeCounted) else None

    def campaign(self, campaign_id: str) -> CampaignCounted | None:
        """Everything that was counted of a campaign so far; None: nothing was."""
        found = self._latest.get(f"{campaign_scope(campaign_id)}@total")
        return found if isinstance(found, CampaignCounted) else None

    def campaigns(self) -> list[CampaignCounted]:
        """The totals of all campaigns, by id."""
        totals = [each for each in self._latest.values() if each.data.period == "total"]
        return sorted(
            (each for each in totals if isinstance(each, CampaignCounted)), key=lambda each: each.subject
        )

    def hours(self, campaign_id: str | None) -> list[Counted]:
        """The hours of a campaign, None: of the programme, in their order."""
        scope = PROGRAMME if campaign_id is None else campaign_scope(campaign_id)
        return sorted(self._hours_of(scope), key=_beginning)

    def _hours_of(self, scope: str) -> Iterator[Counted]:
        for key, each in self._latest.items():
            if key.rpartition("@")[0] == scope and each.data.period == "hour":
                yield each

    def _take(self, key: bytes | None, value: bytes | None) -> None:
        try:
            self._latest[(key or b"").decode()] = statistics.decode(value)
        except (UnreadableError, UnicodeDecodeError):
            return  # of a newer version, or not ours


def _beginning(hour: Counted) -> float:
    return IN_ALL if hour.data.starts_at is None else hour.data.starts_at.timestamp()
