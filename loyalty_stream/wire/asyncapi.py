"""The topics, their messages and keys as an AsyncAPI 3.0 document that points at the JSON Schemas next to it.

It knows no broker: addresses are the topics' names in EVENTS.md, which a deployment may prefix.
"""

from typing import Final

from loyalty_stream.domain.events import EVENT_TYPE, SOURCE
from loyalty_stream.domain.standings import CHANGED, CLOSED
from loyalty_stream.domain.statistics import COUNTED
from loyalty_stream.domain.told import NOTIFICATION
from loyalty_stream.wire.allocations import INTERNAL
from loyalty_stream.wire.dead_letter import PREFIX
from loyalty_stream.wire.internal_records import ALL, INTERNAL_COMMANDS, INTERNAL_TOPICS, InternalRecord
from loyalty_stream.wire.json_schema import GENERATED, ID, Schema
from loyalty_stream.wire.reasons import Reason
from loyalty_stream.wire.topics import ACCEPTED, TOPIC_OF_TYPE, type_name

POINTS_COMMANDS: Final = "points-commands"
POINT_EVENTS: Final = "points-events"
NOTIFICATIONS: Final = "notifications"
LEADERBOARDS: Final = "leaderboards"
CAMPAIGN_STATS: Final = "campaign-stats"
DEAD_LETTERS: Final = "dead-letters"
CONTRACT_VERSION: Final = "1.0.0"
"""Of the events, not of the package: the first number rises when a reader of today would break."""
_COUNTED_KEY: Final[Schema] = {"type": "string", "pattern": "^(programme|campaign:.+)@(total|[^@]+)$"}
_JSON_SCHEMA: Final = "application/schema+json;version=draft-2020-12"


def document() -> Schema:
    """The document, as plain values."""
    incoming = {topic: [type_name(fact) for fact in facts] for topic, facts in ACCEPTED.items()}
    incoming[POINTS_COMMANDS] += INTERNAL_COMMANDS
    between = {topic: list(kinds) for topic, kinds in (INTERNAL | INTERNAL_TOPICS).items()}
    outgoing = list(EVENT_TYPE.values())
    counted = list(COUNTED)
    channels = {topic: _channel(topic, names) for topic, names in incoming.items()}
    return {
        "asyncapi": "3.0.0",
        "x-generated": GENERATED,
        "info": {
            "title": SOURCE,
            "version": CONTRACT_VERSION,
            "description": "CloudEvents 1.0 in structured JSON mode, keyed by customer. See docs/events.md.",
        },
        "defaultContentType": "application/cloudevents+json",
        "channels": {
            **channels,
            POINT_EVENTS: _channel(POINT_EVENTS, outgoing),
            NOTIFICATIONS: _channel(NOTIFICATIONS, [NOTIFICATION]),
            LEADERBOARDS: _channel(LEADERBOARDS, [CHANGED, CLOSED]),
            CAMPAIGN_STATS: _channel(CAMPAIGN_STATS, counted),
            DEAD_LETTERS: _channel(DEAD_LETTERS, ["dead-letter"]),
            **{topic: _internal_channel(topic, names) for topic, names in between.items()},
        },
        "operations": {
            **{f"receive-{topic}": _operation("receive", topic) for topic in incoming},
            f"send-{POINT_EVENTS}": _operation("send", POINT_EVENTS),
            f"send-{NOTIFICATIONS}": _operation("send", NOTIFICATIONS),
            f"send-{LEADERBOARDS}": _operation("send", LEADERBOARDS),
            f"send-{CAMPAIGN_STATS}": _operation("send", CAMPAIGN_STATS),
            f"send-{DEAD_LETTERS}": _operation("send", DEAD_LETTERS),
            **{
                f"{action}-{topic}": _operation(action, topic)
                for topic in between
                for action in ("send", "receive")
            },
        },
        "components": {
            "messages": {
                **{name: _message(name, "in") for name in TOPIC_OF_TYPE},
                **{name: _message(name, "out") for name in outgoing},
                NOTIFICATION: _message(NOTIFICATION, "out"),
                **{name: _standings(name) for name in (CHANGED, CLOSED)},
                **{name: _message(name, "out", _COUNTED_KEY) for name in counted},
                "dead-letter": _dead_letter(),
                **{name: _message(name, "internal") for kinds in INTERNAL.values() for name in kinds},
                **{name: _internal_record(name, record) for name, record in ALL.items()},
            }
        },
    }


def _channel(topic: str, names: list[str]) -> Schema:
    return {"address": topic, "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names}}


def _internal_channel(topic: str, names: list[str]) -> Schema:
    described = "Between parts of this application, in its transactions: nobody else reads or writes there."
    return {**_channel(topic, names), "description": described, "x-internal": True}


def _operation(action: str, topic: str) -> Schema:
    return {"action": action, "channel": {"$ref": f"#/channels/{topic}"}}


def _message(name: str, direction: str, key: Schema = ID) -> Schema:
    return {
        "name": name,
        "payload": {"schemaFormat": _JSON_SCHEMA, "schema": {"$ref": f"./{direction}/{name}.json"}},
        "bindings": {"kafka": {"key": key}},
    }


def _standings(name: str) -> Schema:
    """Keyed by board and period, not by customer."""
    return {**_message(name, "out"), "bindings": {"kafka": {"key": {"type": "string"}}}}


def _internal_record(name: str, record: InternalRecord) -> Schema:
    """Plain JSON, no CloudEvent."""
    key: Schema = {"type": "string", "pattern": record.key}
    internal: Schema = {"contentType": "application/json", "x-internal": True}
    return _message(name, "internal", key) | internal


def _dead_letter() -> Schema:
    texts = ("topic", "partition", "offset", "timestamp", "message", "version")
    properties: Schema = {PREFIX + name: {"type": "string"} for name in texts}
    properties[f"{PREFIX}reason"] = {"enum": [reason.value for reason in Reason]}
    return {
        "name": "dead-letter",
        "summary": "A record that could not be taken: its bytes and key as they came.",
        "contentType": "application/octet-stream",
        "headers": {"type": "object", "properties": properties, "required": sorted(properties)},
        "payload": {},
    }
