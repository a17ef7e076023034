"""The mall's history as an export, and its reports' numbers: made once for all tests of reports."""

import atexit
from functools import cache
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

import mall_year

from loyalty_stream.analysis.layout import export_lines
from loyalty_stream.analysis.reports import AnyReport, Kind, make_report
from loyalty_stream.analysis.source import connect

CUSTOMERS, DAYS = 120, 200


@cache
def history() -> mall_year.History:
    return mall_year.play(CUSTOMERS, DAYS, seed=3)


@cache
def exported() -> Path:
    made = Path(mkdtemp(prefix="mall-"))
    atexit.register(rmtree, made)
    directory = made / "export"
    export_lines(directory, history().events, history().facts, partitions=3)
    return directory


@cache
def report(kind: Kind, name: str = "") -> AnyReport:
    with connect(exported()) as connection:
        return make_report(connection, mall_year.programme(), kind, name)
