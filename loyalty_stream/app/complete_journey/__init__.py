"""The demo's real year of a retailer, turned into the facts that a platform would have sent.

It must not know how facts travel: it reads files and yields bytes, and its caller owns the broker.
"""

from pathlib import Path

from loyalty_stream.app.complete_journey.importer import (
    ImportedFact,
    PreparedImport,
    prepare_import,
    read_facts,
)
from loyalty_stream.app.complete_journey.report import ImportReport
from loyalty_stream.app.complete_journey.source import (
    STORE_ZONE,
    Selection,
    SourceDataError,
    find_data_directory,
)

PROGRAMME_FILE = Path(__file__).with_name("programme.toml")
"""The demo's own programme, made for the basket sizes and the departments of this data."""

__all__ = [
    "PROGRAMME_FILE",
    "STORE_ZONE",
    "ImportReport",
    "ImportedFact",
    "PreparedImport",
    "Selection",
    "SourceDataError",
    "find_data_directory",
    "prepare_import",
    "read_facts",
]
