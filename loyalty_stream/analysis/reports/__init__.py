"""Reports on campaigns, the programme, its finance, feedback and merchants: numbers by SQL, then a page or JSON.

Start with `make_report`. `ledger_tables` makes what all of them ask; `campaign`, `programme`, `finance`, `feedback`
and `merchant` each hold one report's numbers, `pages` how they are shown, `templates/texts.toml` all of their words.
"""

from loyalty_stream.analysis.reports.make import KINDS, AnyReport, Kind, as_html, as_json, make_report

__all__ = ["KINDS", "AnyReport", "Kind", "as_html", "as_json", "make_report"]
