"""The contract of the events as files: a JSON Schema for each type and the AsyncAPI document.

`app.schemas` writes them to `schemas/`, and checks that they are current.
"""

import json

from loyalty_stream.domain.events import EVENT_TYPE
from loyalty_stream.domain.standings import CHANGED, CLOSED
from loyalty_stream.domain.statistics import COUNTED
from loyalty_stream.domain.told import NOTIFICATION
from loyalty_stream.wire import asyncapi
from loyalty_stream.wire.allocations import INTERNAL
from loyalty_stream.wire.internal_records import ALL
from loyalty_stream.wire.json_schema import (
    Schema,
    counted_schema,
    fact_schema,
    internal_record_schema,
    internal_schema,
    notification_schema,
    point_event_schema,
    standings_schema,
)
from loyalty_stream.wire.topics import FACT_OF_TYPE


def files() -> dict[str, str]:
    """Path below `schemas/` -> the text that it must have."""
    schemas: dict[str, Schema] = {"asyncapi.json": asyncapi.document()}
    schemas |= {f"in/{name}.json": fact_schema(fact) for name, fact in FACT_OF_TYPE.items()}
    schemas |= {f"out/{name}.json": point_event_schema(data) for data, name in EVENT_TYPE.items()}
    schemas[f"out/{NOTIFICATION}.json"] = notification_schema()
    for kinds in INTERNAL.values():
        schemas |= {f"internal/{name}.json": internal_schema(kind) for name, kind in kinds.items()}
    schemas |= {
        f"internal/{name}.json": internal_record_schema(name, record.type) for name, record in ALL.items()
    }
    schemas |= {f"out/{name}.json": standings_schema(name) for name in (CHANGED, CLOSED)}
    schemas |= {f"out/{name}.json": counted_schema(event) for name, event in COUNTED.items()}
    return {path: json.dumps(schema, indent=2, ensure_ascii=False) + "\n" for path, schema in schemas.items()}
