"""The programme file: what marketing and finance decide, checked and compiled to rules.

Start with `load_programme`; `compile_rules` makes what the ledger decides with, `published_campaign` reads what the
`campaigns` topic brings, `programme_schema` is for editors.
"""

from loyalty_stream.programme.compile import compile_campaign, compile_rules
from loyalty_stream.programme.load import load_programme, parse_programme
from loyalty_stream.programme.mistakes import Mistake, ProgrammeError
from loyalty_stream.programme.model import Programme
from loyalty_stream.programme.published import published_campaign
from loyalty_stream.programme.schema import campaign_schema, programme_schema

__all__ = [
    "Mistake",
    "Programme",
    "ProgrammeError",
    "campaign_schema",
    "compile_campaign",
    "compile_rules",
    "load_programme",
    "parse_programme",
    "programme_schema",
    "published_campaign",
]
