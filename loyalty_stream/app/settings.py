"""What a worker and the commands are told from outside: one frozen object, read once, passed down.

Every value can be given as a flag of the command line or as an environment variable `LOYALTY_…`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from loyalty_stream.engine.task import Clock

INPUTS = (
    "orders",
    "registrations",
    "reviews",
    "shares",
    "check-ins",
    "activities",
    "points-commands",
    "campaigns",
)
"""The input topics of the ledger by kind (EVENTS.md); all have the same number of partitions."""

ALLOCATIONS = ("allocation-requests", "allocation-answers")
"""By which the ledger asks owners of limited things and hears from them; nobody else writes there."""


STAGES = {
    "ledger": ("ledger",),
    "allocation": ("allocation",),
    "leaderboards": ("boards", "leaderboards"),
    "statistics": ("counting", "counts-owner"),
}
"""What `--stages` names, and the engine's stages of each."""
_GROUP_OF_MEMBERS = ("ledger", "allocation")
"""The stages whose offsets are those of the consumer group itself."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How a deployment is laid out."""

    bootstrap_servers: str = "127.0.0.1:9092"
    app_id: str = "loyalty-stream"
    """Stem of consumer groups, transactional ids and changelogs: never change it for a deployment."""
    topic_prefix: str = ""
    """Put before the name of every topic, for several deployments on one cluster."""
    programme: Path = Path("programme.toml")
    clock: Clock = Clock.WALL
    stages: tuple[str, ...] = tuple(STAGES)
    """What of it this worker runs, names of `STAGES`."""
    guarantee: str = "auto"
    """`auto` asks the broker; `exactly_once` refuses to start without transactions; `effectively_once`."""
    instance_id: str = ""
    """Static membership: stable and unique per worker, such as a StatefulSet's pod name. Empty: dynamic."""
    web_host: str = "127.0.0.1"
    web_port: int = 6066
    cached_accounts: int = 50_000
    """Accounts kept decoded, over all partitions: about 10 KB each."""
    tables: Path | None = None
    """A directory on a local disk: accounts are then kept in files there, 200 bytes of each in memory."""
    batch_records: int = 12_000
    session_timeout: float = 30.0
    """Seconds after which the group gives a silent worker's partitions to others."""
    connection: Mapping[str, Any] = field(default_factory=dict)
    """More keyword arguments of aiokafka's clients: security_protocol, ssl_context, sasl_…"""

    def topic(self, kind: str) -> str:
        """The name of a topic on the cluster."""
        return f"{self.topic_prefix}{kind}"

    @property
    def group_id(self) -> str:
        """The consumer group that this worker is a member of.

        Its members share out partitions, so all of them must run the same stages where stages read the same topic:
        workers without the ledger are a group of their own.
        """
        return self.app_id if "ledger" in self.stages else f"{self.app_id}-{'.'.join(self.stages)}"

    def offsets_of(self, stage: str) -> str:
        """The group that a stage commits its offsets to, whichever worker runs it."""
        return self.app_id if stage in _GROUP_OF_MEMBERS else f"{self.app_id}-{stage}"

    def transactional_id(self, stage: str, partition: int) -> str:
        """By which one owner of a stage's partition fences another, whichever group they are members of."""
        return f"{self.app_id}-{stage}-{partition}"

    def changelog_of(self, stage: str) -> str:
        """The name of a stage's changelog."""
        return f"{self.topic_prefix}{self.app_id}-{stage}-changelog"

    @property
    def campaign_starts(self) -> str:
        """The changelog of how far the ledger has come with telling of campaigns' starts."""
        return f"{self.topic_prefix}{self.app_id}-ledger-campaign-starts-changelog"

    @property
    def told(self) -> str:
        """The changelog of what customers were told: named after the stage that notifications once were."""
        return self.changelog_of("notifications")

    @property
    def changelog(self) -> str:
        """The name of the ledger's changelog."""
        return f"{self.topic_prefix}{self.app_id}-ledger-changelog"
