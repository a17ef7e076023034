"""An export that is stopped at any step of its writing is completed by the next run, and no row is there twice."""

import fcntl
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import duckdb
import msgspec
import pytest

from loyalty_stream.analysis.columns import POINT_EVENTS, point_event_rows
from loyalty_stream.analysis.directory import ExportDirectoryError, opened, read_manifest
from loyalty_stream.analysis.layout import EVENTS, POINT_EVENT_FILES, update_accounts
from loyalty_stream.analysis.source import connect
from loyalty_stream.domain.events import Balance, Cause, PointEvent, PointGranted

PARTITIONS, CHUNKS, CHUNK = 2, 3, 5


class KilledError(BaseException):
    """Stands for kill -9: nothing happens after it, and nobody cleans up."""


def record(partition: int, offset: int) -> SimpleNamespace:
    time = datetime(2026, 1 + offset // CHUNK % 2, 15, tzinfo=UTC)  # a month gets rows of several chunks
    points = 10 + offset
    data = PointGranted(
        cause=Cause("test", f"{partition}/{offset}"),
        balance=Balance(sum(range(10, points + 1)), 0, 0, 0),
        grant_id=f"g{offset}",
        points=points,
        rule="base",
        rule_version=1,
        reason="purchase",
        available_at=time,
        expires_at=None,
    )
    event = PointEvent(f"{partition}.{offset}", "point-granted", f"customer-{partition}", time, data)
    return SimpleNamespace(
        value=msgspec.json.encode(event), timestamp=1_700_000_000_000, partition=partition, offset=offset
    )


def run(path: Path, before=lambda _: None, chunks: int = CHUNKS) -> None:
    """What an export does: go on where the directory ends, and commit now and then."""
    with opened(path, "test", before) as directory:
        for start in range(0, chunks * CHUNK, CHUNK):
            for partition in range(PARTITIONS):
                if directory.next_offset(EVENTS, partition) <= start:
                    rows = point_event_rows([record(partition, start + each) for each in range(CHUNK)])
                    directory.append(EVENTS, partition, start + CHUNK, POINT_EVENT_FILES, rows)
            directory.commit()
        update_accounts(directory)


def rows_by_name(path: Path) -> list[tuple]:
    """Every row that a reader finds who does not know of the manifest, and looks for files by their names."""
    return duckdb.sql(
        f"""SELECT id, month, time, points FROM read_parquet('{path}/points-events/*/*.parquet',
        hive_partitioning = true) ORDER BY partition, "offset" """
    ).fetchall()


def rows_by_manifest(path: Path) -> list[tuple]:
    with connect(path) as connection:
        return connection.sql('SELECT id, points FROM points_events ORDER BY partition, "offset"').fetchall()


def steps_of_a_run(path: Path) -> list[str]:
    steps: list[str] = []
    run(path, steps.append)
    return steps


@pytest.fixture(scope="module")
def steps(tmp_path_factory) -> list[str]:
    return steps_of_a_run(tmp_path_factory.mktemp("steps") / "export")


def expected(chunks: int = CHUNKS) -> list[tuple]:
    return [(f"{p}.{o}", 10 + o) for p in range(PARTITIONS) for o in range(chunks * CHUNK)]


def test_an_export_has_every_row_once_in_the_month_of_its_time(tmp_path):
    run(tmp_path / "export")
    rows = rows_by_name(tmp_path / "export")
    assert [(row[0], row[3]) for row in rows] == expected()
    assert all(f"{time:%Y-%m}" == month for _, month, time, _ in rows)
    assert rows_by_manifest(tmp_path / "export") == expected()


def test_every_kind_of_step_is_there(steps):
    assert {step.split(" ")[0] for step in steps} == {"write", "flush", "rename"}
    assert len(steps) == 3 * (
        CHUNKS + CHUNKS + 2
    )  # of each chunk one file and the manifest; then the accounts


def killed_at(number: int):
    """Stops the run at its step of that number; what is written there is left half-written."""
    count = 0

    def before(step: str) -> None:
        nonlocal count
        count += 1
        if count == number:
            raise KilledError(step)

    return before


def test_a_run_killed_at_any_step_is_completed_by_the_next(tmp_path, steps):
    for number in range(1, len(steps) + 1):
        path = tmp_path / f"at-{number}"
        with pytest.raises(KilledError):
            run(path, killed_at(number))
        seen = []
        if (path / "manifest.json").exists():
            seen = rows_by_manifest(path)  # a reader in between sees whole commits
            assert len(seen) % (CHUNK * PARTITIONS) == 0
            assert set(seen) <= set(expected())
        with opened(path, "test"):  # whatever the next run does: by now no file is there that does not count
            named = {each.path for each in read_manifest(path).files} if seen else set()
            assert {each.relative_to(path).as_posix() for each in path.glob("points-events/*/*")} == named
        run(path)
        assert [(row[0], row[3]) for row in rows_by_name(path)] == expected(), steps[number - 1]
        assert rows_by_manifest(path) == expected()
        with connect(path) as connection:
            told = connection.sql("SELECT customer, granted, available FROM accounts ORDER BY 1").fetchall()
        total = sum(range(10, 10 + CHUNKS * CHUNK))
        assert told == [(f"customer-{p}", total, total) for p in range(PARTITIONS)]
        assert not list(path.rglob("*.tmp"))


def test_a_run_killed_twice_is_completed_as_well(tmp_path, steps):
    for number in range(1, len(steps) + 1, 3):
        path = tmp_path / f"at-{number}"
        for again in (number, 1):
            with pytest.raises(KilledError):
                run(path, killed_at(again))
        run(path)
        assert [(row[0], row[3]) for row in rows_by_name(path)] == expected()


def test_a_file_half_written_is_removed(tmp_path):
    path = tmp_path / "export"
    run(path, chunks=2)
    folder = path / "points-events" / "month=2026-02"
    (folder / "part-000009.parquet").write_bytes(b"PAR1 and no more")
    (folder / "part-000010.parquet.tmp").write_bytes(b"PAR")
    assert rows_by_manifest(path) == expected(2)
    run(path)
    assert [(row[0], row[3]) for row in rows_by_name(path)] == expected()


def test_a_file_of_somebody_else_stays(tmp_path):
    (tmp_path / "export").mkdir()
    run(tmp_path / "export")
    (tmp_path / "export" / "mine.parquet").write_bytes(b"years of work")
    run(tmp_path / "export")
    assert (tmp_path / "export" / "mine.parquet").exists()


def test_nothing_new_writes_nothing(tmp_path):
    run(tmp_path)
    before = {each: each.stat().st_mtime_ns for each in tmp_path.rglob("*.*") if each.name != ".lock"}
    steps: list[str] = []
    run(tmp_path, steps.append)
    assert steps == []
    assert {each: each.stat().st_mtime_ns for each in before} == before


def test_the_manifest_tells_of_offsets_and_files(tmp_path):
    run(tmp_path)
    manifest = read_manifest(tmp_path)
    assert manifest.offsets == {EVENTS: {"0": CHUNKS * CHUNK, "1": CHUNKS * CHUNK}}
    first = manifest.files[0]
    assert first.path == "points-events/month=2026-01/part-000001.parquet"
    assert first.rows == PARTITIONS * CHUNK
    assert first.offsets == {"0": (0, CHUNK - 1), "1": (0, CHUNK - 1)}
    assert [each.rows for each in manifest.accounts] == [PARTITIONS]


def test_columns_are_those_of_the_contract(tmp_path):
    run(tmp_path)
    with connect(tmp_path) as connection:
        assert connection.sql("FROM points_events").columns == POINT_EVENTS.names
        types = dict(
            zip(POINT_EVENTS.names, map(str, connection.sql("FROM points_events").types), strict=True)
        )
    assert types["time"] == types["expires_at"] == "TIMESTAMP WITH TIME ZONE"
    assert types["grants"] == "STRUCT(grant_id VARCHAR, points BIGINT)[]"


def test_only_one_export_writes_to_a_directory(tmp_path):
    run(tmp_path)
    with (tmp_path / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(ExportDirectoryError, match="another export"):
            run(tmp_path)


def test_a_directory_of_another_deployment_or_of_no_export_is_refused(tmp_path):
    run(tmp_path / "export")
    with (
        pytest.raises(ExportDirectoryError, match="of the deployment test"),
        opened(tmp_path / "export", "x"),
    ):
        pass
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.parquet").write_bytes(b"years of work")
    with pytest.raises(ExportDirectoryError, match=r"holds thesis\.parquet"), opened(tmp_path / "mine", "x"):
        pass
    assert (tmp_path / "mine" / "thesis.parquet").read_bytes() == b"years of work"
    with pytest.raises(ExportDirectoryError, match="is no export"):
        read_manifest(tmp_path / "mine")
    (tmp_path / "export" / "manifest.json").write_text('{"layout": 2}')
    with pytest.raises(ExportDirectoryError, match="layout 2"):
        read_manifest(tmp_path / "export")
