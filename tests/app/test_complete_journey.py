"""The importer against the real year, against sums made another way, and against small files that are wrong."""

import hashlib
import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

import duckdb
import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from loyalty_stream.app.complete_journey import (
    PROGRAMME_FILE,
    STORE_ZONE,
    ImportedFact,
    PreparedImport,
    Selection,
    SourceDataError,
    find_data_directory,
    prepare_import,
    read_facts,
)
from loyalty_stream.app.simulate import simulate
from loyalty_stream.domain.events import PointGranted
from loyalty_stream.programme import compile_rules, load_programme
from loyalty_stream.wire import point_events

YEAR_SHA256 = "2ab3b7ecca92dfc1947bf4c030207af154fb3db0933babf3713636f4a3bfc53f"
"""Of all values of the whole year, one after the other. Whoever changes a byte of a fact must mean it."""

# The contract's words for the two facts, apart from the importer's own code: strict, and nothing beside them.
Id = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._:@/-]{1,128}$")]
Text = Annotated[str, msgspec.Meta(min_length=1)]
Amount = Annotated[int, msgspec.Meta(ge=0, le=10**12)]


class Line(msgspec.Struct, forbid_unknown_fields=True):
    line_id: Id
    sku: Id
    quantity: Annotated[int, msgspec.Meta(ge=1, le=10**12)]
    amount: Amount
    category: Text | None = None


class OrderPaid(msgspec.Struct, forbid_unknown_fields=True):
    order_id: Id
    currency: Literal["USD"]
    lines: Annotated[list[Line], msgspec.Meta(min_length=1)]
    discount_amount: Amount


class CustomerRegistered(msgspec.Struct, forbid_unknown_fields=True):
    segments: Annotated[list[Text], msgspec.Meta(min_length=1)] | msgspec.UnsetType = msgspec.UNSET


class OrderEvent(msgspec.Struct, forbid_unknown_fields=True):
    specversion: Literal["1.0"]
    id: Id
    source: Literal["complete-journey"]
    type: Literal["order-paid"]
    subject: Id
    time: str
    data: OrderPaid


class RegistrationEvent(msgspec.Struct, forbid_unknown_fields=True):
    specversion: Literal["1.0"]
    id: Id
    source: Literal["complete-journey"]
    type: Literal["customer-registered"]
    subject: Id
    time: str
    data: CustomerRegistered


ORDERS = msgspec.json.Decoder(OrderEvent)
REGISTRATIONS = msgspec.json.Decoder(RegistrationEvent)


@pytest.fixture(scope="module")
def year() -> PreparedImport:
    return prepare_import()


@pytest.fixture(scope="module")
def facts(year: PreparedImport) -> list[ImportedFact]:
    return list(year.facts())


@pytest.fixture(scope="module")
def raw() -> pa.Table:
    return pq.read_table(find_data_directory() / "transactions.parquet")


def orders_of(facts: list[ImportedFact] | Iterator[ImportedFact]) -> Iterator[OrderEvent]:
    return (ORDERS.decode(fact.value) for fact in facts if fact.topic == "orders")


def exact_cents(column: pa.ChunkedArray) -> int:
    """The column's sum by decimal arithmetic over its distinct values: no float is ever added."""
    total = sum(
        Decimal(repr(entry["values"])).quantize(Decimal("0.01"), ROUND_HALF_EVEN) * entry["counts"]
        for entry in pc.value_counts(column).to_pylist()
    )
    return int(total * 100)


# The whole year


def test_every_fact_is_an_event_of_the_contract(facts: list[ImportedFact]) -> None:
    rfc3339 = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}-0[45]:00")
    ids = set()
    for fact in facts:
        event: OrderEvent | RegistrationEvent
        event = (ORDERS if fact.topic == "orders" else REGISTRATIONS).decode(fact.value)
        assert fact.topic in {"orders", "registrations"}
        assert fact.key == event.subject.encode()
        assert rfc3339.fullmatch(event.time)
        assert datetime.fromisoformat(event.time).timestamp() * 1_000_000 == fact.time_us
        ids.add(event.id)
    assert len(ids) == len(facts)


def test_totals_are_exact_to_the_cent(year: PreparedImport, facts: list[ImportedFact], raw: pa.Table) -> None:
    report = year.report
    assert report.sales_read_amount == exact_cents(raw["sales_value"]) == 459_603_958
    assert report.coupons_read_amount == exact_cents(raw["coupon_disc"]) == 2_635_990
    assert report.imbalances() == ()

    orders = lines = goods = discount = 0
    for order in orders_of(facts):
        orders += 1
        lines += len(order.data.lines)
        goods += sum(line.amount for line in order.data.lines)
        discount += order.data.discount_amount
    assert (orders, lines, goods, discount) == (
        report.orders,
        report.lines,
        report.goods_amount,
        report.discount_amount,
    )
    assert goods == 459_603_958
    assert discount == 2_635_990 - 689 - 1_969


def test_every_order_is_its_basket(facts: list[ImportedFact], raw: pa.Table) -> None:
    expected: dict[int, list[int]] = {}
    columns = ("basket_id", "household_id", "quantity", "sales_value", "coupon_disc")
    for basket, household, quantity, value, coupon in zip(
        *(raw[c].to_pylist() for c in columns), strict=True
    ):
        sums = expected.setdefault(basket, [household, 0, 0, 0])
        cents = round(value * 100)
        sums[1] += cents
        sums[2] += round(coupon * 100)
        sums[3] += 1 if quantity > 0 or cents > 0 else 0
    for order in orders_of(facts):
        household, goods, coupons, lines = expected.pop(int(order.data.order_id))
        assert order.subject == str(household)
        assert sum(line.amount for line in order.data.lines) == goods
        assert order.data.discount_amount == min(goods, coupons)
        assert len(order.data.lines) == lines
    assert {(goods, lines) for _, goods, _, lines in expected.values()} == {(0, 0)}  # those without any goods
    assert len(expected) == 328


def test_facts_are_in_order_of_time_and_a_household_registers_first(
    year: PreparedImport, facts: list[ImportedFact]
) -> None:
    assert all(earlier.time_us <= later.time_us for earlier, later in pairwise(facts))
    registered: dict[bytes, int] = {}
    first_orders: dict[bytes, int] = {}
    for fact in facts:
        if fact.topic == "registrations":
            assert fact.key not in registered
            registered[fact.key] = fact.time_us
        else:
            assert fact.key in registered
            first_orders.setdefault(fact.key, fact.time_us)
    assert registered == {key: time_us - 1_000_000 for key, time_us in first_orders.items()}
    assert len(registered) == year.report.registrations == 2_469
    assert len(facts) == year.fact_count


def test_registrations_name_the_campaigns_of_the_data(
    year: PreparedImport, facts: list[ImportedFact]
) -> None:
    told = Counter(
        (segment, event.subject)
        for event in (REGISTRATIONS.decode(fact.value) for fact in facts if fact.topic == "registrations")
        for segment in event.data.segments or ()
    )
    rows = pq.read_table(find_data_directory() / "campaigns.parquet").to_pylist()
    assert told == Counter((f"campaign-{row['campaign_id']}", str(row["household_id"])) for row in rows)
    assert year.report.memberships == len(rows) == 6_589


def test_the_report_counts_what_the_columns_show(year: PreparedImport, raw: pa.Table) -> None:
    def rows(condition: pa.ChunkedArray) -> int:
        return int(pc.sum(condition).as_py())

    report = year.report
    no_quantity = pc.equal(raw["quantity"], 0)
    worthless = pc.less(raw["sales_value"], 0.005)
    products = pq.read_table(find_data_directory() / "products.parquet").combine_chunks()
    known = pc.is_in(raw["product_id"], value_set=products["product_id"].combine_chunks())
    assert report.lines_read == raw.num_rows == 1_469_307
    assert report.baskets_read == pc.count_distinct(raw["basket_id"]).as_py() == 155_848
    assert report.lines_void == rows(pc.and_(no_quantity, worthless)) == 8_840
    assert report.lines_quantity_one == rows(pc.and_(no_quantity, pc.invert(worthless))) == 29
    assert report.lines_free == rows(pc.and_(pc.invert(no_quantity), worthless)) == 2_406
    assert report.lines_value_residue == rows(pc.and_(worthless, pc.greater(raw["sales_value"], 0.0))) == 20
    assert report.lines_negative == rows(pc.less(raw["quantity"], 0)) == 0
    assert report.lines_unknown_product == rows(pc.and_(pc.invert(no_quantity), pc.invert(known))) == 32
    assert report.lines_fuel == 14_697
    assert (report.orders, report.baskets_without_goods, report.orders_capped) == (155_520, 328, 11)


def test_the_page_about_the_data_is_right(raw: pa.Table, facts: list[ImportedFact]) -> None:
    """Figures of docs/complete-journey.md that are not in the report."""
    for column, exact in (("sales_value", 1_469_287), ("coupon_disc", 1_469_307)):
        nearest = pc.divide(pc.round(pc.multiply(raw[column], 100.0)), 100.0)
        assert pc.sum(pc.equal(raw[column], nearest)).as_py() == exact
    residues = raw.filter(pc.and_(pc.greater(raw["sales_value"], 0.0), pc.less(raw["sales_value"], 0.005)))
    assert pc.max(residues["sales_value"]).as_py() < 1.8e-15
    assert pc.max(residues["quantity"]).as_py() == 0

    baskets = ["basket_id", "household_id", "store_id", "transaction_timestamp"]
    assert raw.group_by(baskets).aggregate([]).num_rows == 155_848  # one of each to a basket
    assert raw.group_by(["basket_id", "product_id"]).aggregate([]).num_rows == raw.num_rows
    assert raw.group_by(["household_id", "transaction_timestamp"]).aggregate([]).num_rows == 155_848 - 84

    thousandths = raw.filter(pc.greater(raw["quantity"], 100))["product_id"]
    products = pq.read_table(find_data_directory() / "products.parquet").combine_chunks()
    types = products["product_type"].take(
        pc.index_in(thousandths, value_set=products["product_id"].combine_chunks())
    )
    assert pc.sum(pc.equal(types, "GASOLINE-REG UNLEADED")).as_py() == 13_509

    rule = tomllib.loads(PROGRAMME_FILE.read_text(encoding="utf-8"))["earning"]["purchase"][0]
    excluded = set(rule["exclude_categories"])
    earns_nothing = sum(
        line.amount for order in orders_of(facts) for line in order.data.lines if line.category in excluded
    )
    assert round(1_000 * earns_nothing / 459_603_958) == 104


def test_the_bytes_are_the_same_on_every_run(facts: list[ImportedFact]) -> None:
    digest = hashlib.sha256()
    for fact in facts:
        digest.update(fact.value)
    assert digest.hexdigest() == YEAR_SHA256

    selection = Selection(baskets=3_000)
    prepared = prepare_import(selection)
    assert list(prepared.facts()) == list(prepared.facts()) == list(read_facts(selection))


ODD_BASKETS: Mapping[str, tuple[str, str, str, int, list[tuple[str, str, int, int]]]] = {
    "the first of the year": (
        "31198570044",
        "900",
        "2017-01-01T06:53:26-05:00",
        0,
        [("1", "1095275", 1, 50)],
    ),
    "coupons of 1.50": (
        "31280698081",
        "1770",
        "2017-01-06T23:31:48-05:00",
        150,
        [
            ("1", "819982", 1, 200),
            ("2", "839094", 1, 134),
            ("3", "1031525", 1, 200),
            ("4", "1085095", 1, 179),
            ("5", "1104343", 1, 299),
        ],
    ),
    "a coupon of 6.00 on goods of 3.78, in a row of its own": (
        "33180343833",
        "909",
        "2017-05-16T20:07:19-04:00",
        378,
        [("1", "859237", 1, 129), ("2", "884073", 1, 249)],
    ),
    "a cent for a quantity of 0": (
        "31553913307",
        "143",
        "2017-01-25T00:41:04-05:00",
        0,
        [
            ("1", "844165", 1, 134),
            ("2", "983078", 1, 129),
            ("3", "1056651", 1, 89),
            ("4", "5995423", 1, 1),
            ("5", "7157395", 1, 33),
        ],
    ),
    "two void rows and one of 1.8e-15 dollars": (
        "31833823621",
        "57",
        "2017-02-11T21:49:12-05:00",
        0,
        [
            ("1", "848970", 2, 338),
            ("2", "860313", 1, 250),
            ("3", "868423", 1, 167),
            ("4", "937670", 1, 159),
            ("6", "1095307", 1, 250),
            ("9", "9677923", 1, 339),
        ],
    ),
    "one free article and nothing else": (
        "31280867214",
        "1834",
        "2017-01-06T19:09:08-05:00",
        0,
        [("1", "1053460", 1, 0)],
    ),
    "7.915 gallons": ("31198615621", "718", "2017-01-01T13:25:12-05:00", 0, [("1", "6534178", 7_915, 1_725)]),
}


def test_baskets_read_by_hand(facts: list[ImportedFact]) -> None:
    wanted = {order_id for order_id, *_ in ODD_BASKETS.values()}
    found = {order.data.order_id: order for order in orders_of(facts) if order.data.order_id in wanted}
    for name, (order_id, household, time, discount, lines) in ODD_BASKETS.items():
        order = found[order_id]
        seen = [(line.line_id, line.sku, line.quantity, line.amount) for line in order.data.lines]
        assert (order.subject, order.time, order.data.discount_amount, seen) == (
            household,
            time,
            discount,
            lines,
        ), name


def test_a_basket_of_nothing_but_a_coupon_is_left_out(facts: list[ImportedFact], raw: pa.Table) -> None:
    assert raw.filter(pc.equal(raw["basket_id"], 31769072118))["coupon_disc"].to_pylist() == [2.5]
    assert not any(b"31769072118" in fact.value for fact in facts)


def test_the_data_itself_names_its_zone(raw: pa.Table) -> None:
    """Its weeks begin on Mondays at midnight in New York in summer and winter, if its times are read as UTC."""
    spans = raw.group_by("week").aggregate(
        [("transaction_timestamp", "min"), ("transaction_timestamp", "max")]
    )
    times = [
        (week, time_us)
        for name in ("transaction_timestamp_min", "transaction_timestamp_max")
        for week, time_us in zip(
            spans["week"].to_pylist(),
            spans[name].cast(pa.timestamp("us")).cast(pa.int64()).to_pylist(),
            strict=True,
        )
    ]

    def week_of(day: date) -> int:
        return (day - date(2016, 12, 26)).days // 7 + 1

    def agrees(zone: ZoneInfo) -> bool:
        moments = [(week, datetime.fromtimestamp(time_us // 1_000_000, zone)) for week, time_us in times]
        return all(week_of(at.date()) == week for week, at in moments)

    assert len(times) == 2 * 53
    assert agrees(STORE_ZONE)
    # Not UTC, no neighbour to the west or east, and none of New York's two offsets alone.
    others = ("UTC", "America/Chicago", "America/Halifax", "Etc/GMT+5", "Etc/GMT+4")
    assert not [name for name in others if agrees(ZoneInfo(name))]


# A part of the year


def test_dates_are_the_stores_own_days() -> None:
    prepared = prepare_import(Selection(first_date=date(2017, 12, 24), last_date=date(2017, 12, 26)))
    days = [datetime.fromisoformat(order.time).date() for order in orders_of(prepared.facts())]
    assert set(days) == {date(2017, 12, 24), date(2017, 12, 26)}  # closed on Christmas Day
    assert len(days) == prepared.report.orders
    households = {fact.key for fact in prepared.facts()}
    assert prepared.report.registrations == len(households)


def test_a_limit_takes_the_first_baskets(facts: list[ImportedFact]) -> None:
    prepared = prepare_import(Selection(baskets=500))
    orders = [fact for fact in prepared.facts() if fact.topic == "orders"]
    assert prepared.report.baskets_read == 500
    assert 0 < len(orders) <= 500
    assert orders == [fact for fact in facts if fact.topic == "orders"][: len(orders)]


def test_a_selection_without_baskets_is_empty() -> None:
    prepared = prepare_import(Selection(first_date=date(2017, 12, 25), last_date=date(2017, 12, 25)))
    assert list(prepared.facts()) == []
    counts = dict(prepared.report.rows())
    assert counts.pop("memberships_read") == counts.pop("memberships_without_orders") == 6_589
    assert all(value == 0 for value in counts.values())


@pytest.mark.parametrize(
    "arguments",
    [{"baskets": 0}, {"first_date": date(2017, 2, 1), "last_date": date(2017, 1, 1)}],
)
def test_a_senseless_selection_is_refused(arguments: dict[str, int | date]) -> None:
    with pytest.raises(ValueError, match=r"must be at least 1|is before"):
        Selection(**arguments)  # type: ignore[arg-type]


# Small files

Row = tuple[int, int, int, int, float, float, str]
GOOD: Row = (7, 100, 1, 1, 1.25, 0.0, "2017-06-01T16:00:00")
COLUMNS = (
    "household_id",
    "basket_id",
    "product_id",
    "quantity",
    "sales_value",
    "coupon_disc",
    "transaction_timestamp",
)


def write_data(directory: Path, *rows: Row, addressed: tuple[tuple[int, int], ...] = ()) -> Path:
    campaigns, households = [campaign for campaign, _ in addressed], [household for _, household in addressed]
    memberships = {
        "campaign_id": pa.array(campaigns, pa.int64()),
        "household_id": pa.array(households, pa.int64()),
    }
    pq.write_table(pa.table(memberships), directory / "campaigns.parquet")
    values = list(zip(*rows, strict=True))
    times = pa.array([datetime.fromisoformat(time) for time in values[6]], pa.timestamp("ns"))
    arrays = [pa.array(column) for column in values[:6]]
    pq.write_table(pa.table([*arrays, times], names=COLUMNS), directory / "transactions.parquet")
    products = {"product_id": [1, 2], "product_category": ["TEA", None], "product_type": ["GREEN TEA", None]}
    pq.write_table(pa.table(products), directory / "products.parquet")
    return directory


def test_returns_are_left_out_with_their_coupons(tmp_path: Path) -> None:
    rows = (GOOD, (7, 100, 2, -1, -0.75, 0.30, GOOD[6]), (7, 100, 3, 1, -0.10, 0.0, GOOD[6]))
    prepared = prepare_import(directory=write_data(tmp_path, *rows))
    (order,) = orders_of(prepared.facts())
    assert [(line.sku, line.amount) for line in order.data.lines] == [("1", 125)]
    assert order.data.discount_amount == 0
    report = prepared.report
    assert (report.lines_negative, report.sales_negative_amount, report.coupons_negative_amount) == (
        2,
        -85,
        30,
    )
    assert report.imbalances() == ()


def test_a_category_is_left_out_where_the_data_has_none(tmp_path: Path) -> None:
    rows = (GOOD, (7, 100, 2, 1, 1.0, 0.0, GOOD[6]), (7, 100, 99, 1, 1.0, 0.0, GOOD[6]))
    prepared = prepare_import(directory=write_data(tmp_path, *rows))
    (order,) = orders_of(prepared.facts())
    assert [line.category for line in order.data.lines] == ["TEA", None, None]
    assert b"null" not in next(fact.value for fact in prepared.facts() if fact.topic == "orders")
    assert (prepared.report.lines_without_category, prepared.report.lines_unknown_product) == (2, 1)


def test_ties_go_to_registrations_then_to_the_smaller_basket_and_rows_keep_their_order(
    tmp_path: Path,
) -> None:
    rows: tuple[Row, ...] = (
        (9, 300, 2, 1, 1.0, 0.0, "2017-06-01T16:00:01"),
        (8, 200, 2, 1, 2.0, 0.0, "2017-06-01T16:00:00"),
        (7, 100, 2, 1, 1.0, 0.0, "2017-06-01T16:00:00"),
        (8, 200, 1, 1, 3.0, 0.0, "2017-06-01T16:00:00"),
    )
    prepared = prepare_import(directory=write_data(tmp_path, *rows))
    assert [(fact.topic, fact.key) for fact in prepared.facts()] == [
        ("registrations", b"7"),
        ("registrations", b"8"),
        ("registrations", b"9"),
        ("orders", b"7"),
        ("orders", b"8"),
        ("orders", b"9"),
    ]
    amounts = [[line.amount for line in order.data.lines] for order in orders_of(prepared.facts())]
    assert amounts == [[100], [200, 300], [100]]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ((7, 100, 2, 1, 1.005, 0.0, GOOD[6]), r"row 1, column sales_value: 1\.005 is not a whole number"),
        ((7, 100, 2, 1, float("nan"), 0.0, GOOD[6]), r"row 1, column sales_value: nan is not a whole number"),
        ((7, 100, 2, 1, 1.0, -0.5, GOOD[6]), r"coupon_disc goes down to -50 cents"),
        ((7, 100, 2, None, 1.0, 0.0, GOOD[6]), r"column quantity has 1 empty values"),
        ((8, 100, 2, 1, 1.0, 0.0, GOOD[6]), r"basket 100 has rows of several households or times"),
        (
            (7, 100, 2, 1, 1.0, 0.0, "2017-06-01T16:00:01"),
            r"basket 100 has rows of several households or times",
        ),
    ],
)
def test_what_cannot_be_exact_is_refused(tmp_path: Path, row: Row, message: str) -> None:
    with pytest.raises(SourceDataError, match=message):
        prepare_import(directory=write_data(tmp_path, GOOD, row))


def test_missing_files_and_columns_are_named(tmp_path: Path) -> None:
    with pytest.raises(SourceDataError, match=r"transactions\.parquet does not exist"):
        prepare_import(directory=tmp_path)
    write_data(tmp_path, GOOD)
    pq.write_table(pa.table({"product_id": [1]}), tmp_path / "products.parquet")
    with pytest.raises(SourceDataError, match=r"products\.parquet: there is no column product_category"):
        prepare_import(directory=tmp_path)


def test_a_household_registers_with_the_campaigns_that_addressed_it(tmp_path: Path) -> None:
    later = (8, 200, 1, 1, 1.0, 0.0, "2017-06-01T16:00:01")
    data = write_data(tmp_path, GOOD, later, addressed=((12, 7), (3, 7), (3, 99)))
    prepared = prepare_import(directory=data)
    told = [
        REGISTRATIONS.decode(fact.value).data for fact in prepared.facts() if fact.topic == "registrations"
    ]
    assert told == [CustomerRegistered(["campaign-3", "campaign-12"]), CustomerRegistered()]
    report = prepared.report
    assert (report.memberships_read, report.memberships, report.memberships_without_orders) == (3, 2, 1)
    assert report.imbalances() == ()
    with pytest.raises(SourceDataError, match="a household is listed twice for a campaign"):
        prepare_import(directory=write_data(tmp_path, GOOD, addressed=((3, 7), (3, 7))))


def test_a_report_that_does_not_add_up_says_where(tmp_path: Path) -> None:
    report = prepare_import(directory=write_data(tmp_path, GOOD)).report
    assert report.imbalances() == ()
    assert replace(report, goods_amount=124).imbalances() == (
        "sales_read_amount = goods_amount + sales_negative_amount",
    )
    assert len(replace(report, lines=0, orders=0, discount_amount=1, memberships=1).imbalances()) == 4


# The demo's programme


def test_the_programme_fits_the_data(year: PreparedImport, facts: list[ImportedFact]) -> None:
    programme = tomllib.loads(PROGRAMME_FILE.read_text(encoding="utf-8"))
    assert programme["programme"]["currency"] == "USD"
    assert programme["programme"]["timezone"] == STORE_ZONE.key
    (rule,) = programme["earning"]["purchase"]
    excluded = set(rule["exclude_categories"])
    first, second = (threshold["minimum_amount"] for threshold in rule["thresholds"])

    categories: set[str | None] = set()
    reached = [0, 0]
    for order in orders_of(facts):
        categories.update(line.category for line in order.data.lines)
        goods = sum(line.amount for line in order.data.lines)
        base = sum(line.amount for line in order.data.lines if line.category not in excluded)
        net = base - order.data.discount_amount * base // goods if goods else 0
        reached[0] += net >= first
        reached[1] += net >= second
    assert excluded <= categories  # a name with a typing error would exclude nothing
    assert [round(100 * count / year.report.orders) for count in reached] == [16, 5]
    assert programme["finance"]["customers"] == year.report.registrations
    per_household = year.report.goods_amount / year.report.registrations
    assert programme["finance"]["baseline_annual_spend_amount"] == round(per_household)


AWARDS = {
    "Type A": {
        "minimum_amount": 15_000,
        "accumulate": True,
        "award": {"points": 100},
        "per_customer_limit": 4,
    },
    "Type B": {
        "minimum_amount": 4_000,
        "accumulate": False,
        "award": {"points": 50},
        "per_customer_limit": 3,
    },
    "Type C": {
        "minimum_amount": 0,
        "accumulate": False,
        "award": {"multiplier": "1.5"},
        "per_customer_limit": 0,
    },
}
"""Type of a campaign in the data -> what the demo's programme makes of it."""


def test_the_programme_has_the_campaigns_of_the_data() -> None:
    programme = tomllib.loads(PROGRAMME_FILE.read_text(encoding="utf-8"))
    given = {each.pop("id"): each for each in programme["campaigns"]}
    del given["breakfast-week"]  # ours
    descriptions = pq.read_table(find_data_directory() / "campaign_descriptions.parquet").to_pylist()
    assert len(descriptions) == len(given) == 27
    for row in descriptions:
        name = f"campaign-{row['campaign_id']}"
        campaign = given[name]
        days = (row["start_date"].date(), row["end_date"].date() + timedelta(days=1))
        first, after = (datetime(day.year, day.month, day.day, tzinfo=STORE_ZONE) for day in days)
        assert datetime.fromisoformat(campaign.pop("starts_at")) == first
        assert datetime.fromisoformat(campaign.pop("ends_at")) == after
        assert (
            campaign.pop("theme")
            == f"Campaign {row['campaign_id']}, {row['campaign_type'].replace('T', 't')}"
        )
        assert (campaign.pop("mode"), campaign.pop("audience")) == ("offline", {"segments": [name]})
        assert campaign.pop("budget_points") > 0
        assert campaign == AWARDS[row["campaign_type"]]


# What the 27 campaigns give in March 2017, worked out from the data by SQL: nothing of the importer or the ledger.
# Baskets of goods, less coupons up to the goods, on the store's own days.
BASKETS_SQL = """
CREATE TABLE baskets AS SELECT household_id, time, goods - least(coupons, goods) AS net FROM (
    SELECT household_id, basket_id, timezone('UTC', min(transaction_timestamp)) AS time,
        sum(round(100 * sales_value)::BIGINT) AS goods, sum(round(100 * coupon_disc)::BIGINT) AS coupons
    FROM transactions GROUP BY household_id, basket_id
    HAVING bool_or(quantity > 0 OR sales_value > 0.005)
) WHERE time >= '2017-03-01 00:00:00' AND time < '2017-04-01 00:00:00'
"""
AWARDED_SQL = """
WITH spent AS (
    SELECT campaign_id, campaign_type, household_id, sum(net) AS spend, count(*) FILTER (net >= 4000) AS large
    FROM campaign_descriptions JOIN campaigns USING (campaign_id) JOIN baskets USING (household_id)
    WHERE time >= start_date::TIMESTAMPTZ AND time < (end_date + INTERVAL 1 DAY)::TIMESTAMPTZ GROUP BY ALL
)
SELECT 'campaign-' || campaign_id, sum(CASE campaign_type
    WHEN 'Type A' THEN 100 * least(4, spend // 15000) ELSE 50 * least(3, large) END)::BIGINT AS points
FROM spent WHERE campaign_type <> 'Type C' GROUP BY 1 HAVING points > 0
"""


def test_campaigns_give_what_the_data_says() -> None:
    with duckdb.connect() as data:
        data.execute(f"SET TimeZone = '{STORE_ZONE.key}'")
        for table in ("transactions", "campaigns", "campaign_descriptions"):
            data.read_parquet(str(find_data_directory() / f"{table}.parquet")).create_view(table)
        data.execute(BASKETS_SQL)
        expected = dict(data.sql(AWARDED_SQL).fetchall())
    granted: Counter[str] = Counter()
    multiplied: list[tuple[int, int]] = []
    base: dict[str, tuple[int, int]] = {}

    def add(event: bytes) -> None:
        data = point_events.decode(event).data
        if not isinstance(data, PointGranted):
            return
        if data.reason == "purchase":
            base[data.order_id] = data.exact
        elif data.campaign_id in expected:
            granted[data.campaign_id] += data.points
        elif data.campaign_id == "campaign-3":
            numerator, denominator = base[data.order_id]
            multiplied.append((data.points, numerator * 3 // (denominator * 2) - numerator // denominator))

    rules = compile_rules(load_programme(PROGRAMME_FILE))
    march = Selection(date(2017, 3, 1), date(2017, 3, 31))
    assert not list(simulate(rules, (fact.value for fact in read_facts(march)), add))
    assert granted == expected
    assert {"campaign-27", "campaign-1", "campaign-2"} <= granted.keys()
    assert len(multiplied) > 20
    assert all(given == wanted for given, wanted in multiplied)
