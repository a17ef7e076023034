"""A report from a connection, and what becomes of it: JSON, or one HTML file. It must not know Kafka or files."""

from typing import Final, Literal, TypeAlias, assert_never

import msgspec
from duckdb import DuckDBPyConnection

from loyalty_stream.analysis.reports.campaign import CampaignReport, campaign_report
from loyalty_stream.analysis.reports.feedback import FeedbackReport, feedback_report
from loyalty_stream.analysis.reports.finance import FinanceReport, finance_report
from loyalty_stream.analysis.reports.ledger_tables import prepare
from loyalty_stream.analysis.reports.merchant import MerchantReport, merchant_report
from loyalty_stream.analysis.reports.pages import Page, render
from loyalty_stream.analysis.reports.pages.campaign import campaign_page
from loyalty_stream.analysis.reports.pages.feedback import feedback_page
from loyalty_stream.analysis.reports.pages.finance import finance_page
from loyalty_stream.analysis.reports.pages.merchant import merchant_page
from loyalty_stream.analysis.reports.pages.programme import programme_page
from loyalty_stream.analysis.reports.programme import ProgrammeReport, programme_report
from loyalty_stream.analysis.reports.words import Language, Words
from loyalty_stream.programme import Programme

Kind = Literal["campaign", "programme", "finance", "feedback", "merchant"]
KINDS: Final[tuple[Kind, ...]] = ("campaign", "programme", "finance", "feedback", "merchant")
AnyReport: TypeAlias = CampaignReport | ProgrammeReport | FinanceReport | FeedbackReport | MerchantReport


def make_report(
    connection: DuckDBPyConnection, programme: Programme, kind: Kind, name: str = ""
) -> AnyReport:
    """The numbers of a report over the views of `analysis.source`; `name` is the campaign's or merchant's id.

    Raises NothingToReportError where there are no point events, or no such campaign or merchant.
    """
    data = prepare(connection, programme.programme.timezone)
    match kind:
        case "campaign":
            return campaign_report(connection, data, programme, name)
        case "programme":
            return programme_report(connection, data, programme)
        case "finance":
            return finance_report(connection, data, programme)
        case "feedback":
            return feedback_report(connection, data, programme)
        case "merchant":
            return merchant_report(connection, data, programme, name)
        case _:
            assert_never(kind)


def as_json(report: AnyReport) -> bytes:
    """The numbers as indented JSON; docs/reports.md says what they are."""
    return msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n"


def as_html(report: AnyReport, programme: Programme, language: Language) -> str:
    """The report as one self-contained HTML file."""
    w = Words(language, programme.programme.currency)
    return render(_page(report, programme, w), w, programme.programme.timezone)


def _page(report: AnyReport, programme: Programme, w: Words) -> Page:
    match report:
        case CampaignReport():
            return campaign_page(report, w, programme.finance.unit_cost_amount)
        case ProgrammeReport():
            return programme_page(report, w)
        case FinanceReport():
            return finance_page(report, w)
        case FeedbackReport():
            return feedback_page(report, w)
        case MerchantReport():
            return merchant_page(report, w)
        case _:
            assert_never(report)
