"""The export directory: rows go in by topic and offset, Parquet files by month come out, a manifest says which count.

A commit writes its files under temporary names, flushes and renames them, then replaces the manifest: whatever is
interrupted in between, the manifest names whole files only and the offsets that they end with. It must not know
Kafka or what the columns mean.
"""

import fcntl
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from msgspec import Struct, field

from loyalty_stream.app.mendable import MendableError

MANIFEST: Final = "manifest.json"
LAYOUT: Final = 1
"""Counts up when the meaning of what is there already changes; new columns do not."""
COMMIT_BYTES: Final = 192 << 20
"""Rows in memory, as Arrow has them, after which a commit is due. Files are a fifth of it or less."""
ROW_GROUP: Final = 100_000
_PARTS: Final = ("points-events", "facts", "accounts")
_TEMPORARY: Final = ".tmp"

Step = Callable[[str], None]
"""Told before each step that changes the disk, by its name; a test stops there."""


Subject = Literal["", "plain", "pseudonym"]


class ExportDirectoryError(MendableError):
    """The directory cannot be used for this export; the message says why, and what can be done."""


class ExportedFile(Struct, frozen=True, omit_defaults=True):
    """One Parquet file that counts, by its path below the directory."""

    path: str
    rows: int
    bytes: int
    offsets: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Partition -> the first and the last offset of its records in the file."""


class Manifest(Struct, omit_defaults=False):
    """What the directory holds. `offsets`: topic kind -> partition -> the offset to go on from."""

    layout: int = LAYOUT
    deployment: str = ""
    """Topic prefix and app id: a directory is one deployment's."""
    subject: Subject = ""
    """How customers are named; empty: nothing is known of them yet."""
    commits: int = 0
    offsets: dict[str, dict[str, int]] = field(default_factory=dict)
    files: list[ExportedFile] = field(default_factory=list)
    accounts: list[ExportedFile] = field(default_factory=list)
    accounts_at_commit: int = -1
    """The commit whose point events the accounts add up."""


class Dataset(NamedTuple):
    """A part of the export: `points-events`, or the facts of one topic."""

    path: str
    """Below the directory."""
    schema: pa.Schema


class ExportDirectory:
    """An export directory that this process alone writes to. Get one from `opened`."""

    def __init__(self, path: Path, manifest: Manifest, before: Step) -> None:
        self.path = path
        self.manifest = manifest
        self._before = before
        self._rows: dict[Dataset, list[pa.Table]] = {}
        self._reached: dict[tuple[str, int], int] = {}
        self._bytes = 0

    # -- rows ---------------------------------------------------------------------------------------------------

    def next_offset(self, topic: str, partition: int) -> int:
        """The offset to go on reading from: all before is in the directory or appended."""
        written = self.manifest.offsets.get(topic, {}).get(str(partition), 0)
        return self._reached.get((topic, partition), written)

    def append(self, topic: str, partition: int, next_offset: int, dataset: Dataset, rows: pa.Table) -> None:
        """Take rows of a partition, and that it was read up to `next_offset`. Commits when enough has come together."""
        if rows.num_rows:
            self._rows.setdefault(dataset, []).append(rows)
            self._bytes += rows.nbytes
        self.reached(topic, partition, next_offset)
        if self._bytes >= COMMIT_BYTES:
            self.commit()

    def reached(self, topic: str, partition: int, next_offset: int) -> None:
        """A partition was read up to `next_offset`."""
        self._reached[topic, partition] = next_offset

    def commit(self) -> None:
        """Write what was appended; after it the directory holds it for good. Does nothing where there is nothing."""
        if not self._reached:
            return
        manifest = self.manifest
        number = manifest.commits + 1
        written = [
            self._write(f"{dataset.path}/month={month}/part-{number:06}.parquet", rows)
            for dataset, tables in sorted(self._rows.items(), key=lambda item: item[0].path)
            for month, rows in by_month(pa.concat_tables(tables))
        ]
        offsets = {topic: dict(partitions) for topic, partitions in manifest.offsets.items()}
        for (topic, partition), offset in self._reached.items():
            offsets.setdefault(topic, {})[str(partition)] = offset
        self._replace_manifest(
            msgspec.structs.replace(
                manifest, commits=number, offsets=offsets, files=[*manifest.files, *written]
            )
        )
        self._rows.clear()
        self._reached.clear()
        self._bytes = 0

    # -- accounts -----------------------------------------------------------------------------------------------

    def files_of(self, *parts: str) -> list[str]:
        """The files that count of a part of the layout, such as `points-events`, as paths."""
        wanted = "/".join(parts) + "/"
        return [str(self.path / each.path) for each in self.manifest.files if each.path.startswith(wanted)]

    def replace_accounts(self, rows: pa.Table) -> None:
        """Put accounts in the place of those that were there; they add up the point events of the latest commit."""
        manifest = self.manifest
        number = manifest.commits
        written = self._write(f"accounts/part-{number:06}.parquet", rows)
        self._replace_manifest(
            msgspec.structs.replace(manifest, accounts=[written], accounts_at_commit=number)
        )
        self.sweep()

    # -- the disk -----------------------------------------------------------------------------------------------

    def sweep(self) -> None:
        """Remove Parquet files that the manifest does not name: a commit was interrupted, or they were replaced."""
        named = {each.path for each in (*self.manifest.files, *self.manifest.accounts)}
        ours = (self.path / part for part in _PARTS)
        for found in sorted(file for part in ours for file in part.rglob("*.parquet*")):
            if found.relative_to(self.path).as_posix() not in named:
                self._before(f"remove {found.name}")
                found.unlink()

    def _write(self, name: str, rows: pa.Table) -> ExportedFile:
        target = self.path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(target.name + _TEMPORARY)
        self._before(f"write {name}")
        pq.write_table(rows, temporary, compression="zstd", row_group_size=ROW_GROUP)
        self._before(f"flush {name}")
        _flush(temporary)
        self._before(f"rename {name}")
        temporary.replace(target)
        for folder in (target.parent, *target.parent.parents):  # so that the names last, too
            _flush(folder)
            if folder == self.path:
                break
        return ExportedFile(name, rows.num_rows, target.stat().st_size, _offset_ranges(rows))

    def _replace_manifest(self, manifest: Manifest) -> None:
        target = self.path / MANIFEST
        temporary = target.with_name(MANIFEST + _TEMPORARY)
        self._before("write manifest")
        temporary.write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n")
        self._before("flush manifest")
        _flush(temporary)
        self._before("rename manifest")
        temporary.replace(target)
        _flush(self.path)
        self.manifest = manifest


@contextmanager
def opened(path: Path, deployment: str, before: Step = lambda _: None) -> Iterator[ExportDirectory]:
    """The directory for writing, made where it is missing; what an interrupted run left behind is removed.

    Raises ExportDirectoryError where it holds something else, or somebody else is writing to it.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        lock = (path / ".lock").open("w")
    except OSError as error:
        raise ExportDirectoryError(f"{path}: cannot be written to: {error.strerror}") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ExportDirectoryError(f"{path}: another export is writing there") from error
        fresh = not (path / MANIFEST).exists()
        manifest = Manifest(deployment=deployment) if fresh else read_manifest(path)
        if fresh and (found := _foreign(path)):
            raise ExportDirectoryError(f"{path}: holds {found} and no {MANIFEST}; name an empty directory")
        if manifest.deployment != deployment:
            raise ExportDirectoryError(
                f"{path}: is an export of the deployment {manifest.deployment}, not of {deployment}; "
                "name another directory, or check --topic-prefix and --app-id"
            )
        directory = ExportDirectory(path, manifest, before)
        directory.sweep()
        yield directory


def read_manifest(path: Path) -> Manifest:
    """What the directory holds. Raises ExportDirectoryError where it is no export, or one of another layout."""
    file = path / MANIFEST
    try:
        manifest = msgspec.json.decode(file.read_bytes(), type=Manifest)
    except OSError as error:
        raise ExportDirectoryError(
            f"{path}: is no export ({file.name}: {error.strerror}); make one with `loyalty-stream export`"
        ) from error
    except msgspec.DecodeError as error:
        raise ExportDirectoryError(f"{file}: is no manifest of an export: {error}") from error
    if manifest.layout != LAYOUT:
        raise ExportDirectoryError(f"{file}: has layout {manifest.layout}, this version reads {LAYOUT}")
    return manifest


def _foreign(path: Path) -> str:
    """What stands in the directory that no interrupted export has left there; empty: nothing."""
    ours = {".lock", MANIFEST + _TEMPORARY, *_PARTS}
    return next((each.name for each in sorted(path.iterdir()) if each.name not in ours), "")


def by_month(rows: pa.Table) -> Iterator[tuple[str, pa.Table]]:
    """The rows of each month of `time` in UTC, as `2017-06`, months in order, rows in the order that they have."""
    months = pc.add(pc.multiply(pc.year(rows["time"]), 12), pc.subtract(pc.month(rows["time"]), 1))
    for month in sorted(pc.unique(months).to_pylist()):
        yield f"{month // 12:04}-{month % 12 + 1:02}", rows.filter(pc.equal(months, month))


def _offset_ranges(rows: pa.Table) -> dict[str, tuple[int, int]]:
    if "offset" not in rows.column_names:
        return {}
    ranges: Any = rows.group_by("partition").aggregate([("offset", "min"), ("offset", "max")]).to_pylist()
    return {
        str(each["partition"]): (each["offset_min"], each["offset_max"])
        for each in sorted(ranges, key=lambda each: each["partition"])
    }


def _flush(path: Path) -> None:
    """Have the disk hold the file, or the names in the folder."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
