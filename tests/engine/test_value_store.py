"""Both stores behave as a dictionary does; the file one forgets dead values in time."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty_stream.engine.value_store import FileStore, MemoryStore, ValueStore

KEYS = st.integers(0, 12).map(lambda number: b"key-%d" % number)
PUTS = st.lists(st.tuples(KEYS, st.binary(max_size=300)), max_size=8)
STEPS = st.lists(
    st.one_of(PUTS.map(lambda items: ("put", items)), KEYS.map(lambda key: ("delete", key))), max_size=30
)


@pytest.fixture(params=["memory", "file"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ValueStore:
    return MemoryStore() if request.param == "memory" else FileStore(tmp_path / "tables")


@given(steps=STEPS, smallest_rewrite=st.sampled_from([0, 200, 10**6]))
def test_the_file_behaves_as_a_dictionary(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, object]], smallest_rewrite: int
) -> None:
    store = FileStore(tmp_path_factory.getbasetemp() / "tables", smallest_rewrite)
    model: dict[bytes, bytes] = {}
    for what, argument in steps:
        if what == "put":
            store.put(argument)
            model.update(argument)
        else:
            store.delete(argument)
            model.pop(argument, None)
        assert len(store) == len(model)
        assert dict(store.items()) == model
        assert {key: store.get(key) for key in model} == model
    assert store.get(b"never") is None
    store.close()


def test_what_is_put_is_there_and_what_is_deleted_is_not(store: ValueStore) -> None:
    store.put([(b"a", b"1"), (b"b", b""), (b"a", b"22")])
    store.delete(b"b")
    store.delete(b"c")
    assert list(store.items()) == [(b"a", b"22")]
    assert (store.get(b"a"), store.get(b"b"), len(store)) == (b"22", None, 1)
    store.close()


def test_dead_values_leave_the_file(tmp_path: Path) -> None:
    store = FileStore(tmp_path, smallest_rewrite=1_000)
    for number in range(200):
        store.put([(b"a", b"%0100d" % number), (b"b", b"%0100d" % -number)])
    assert dict(store.items()) == {b"a": b"%0100d" % 199, b"b": b"%0100d" % -199}
    assert store._end <= 1_000 + 3 * 200, "200 versions of 200 bytes would be 40,000"
    store.close()


def test_a_crash_leaves_no_file(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    store.put([(b"a", b"1")])
    assert list(tmp_path.iterdir()) == []
    store.close()


def test_a_value_larger_than_a_window_is_read_whole(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    large = bytes(range(256)) * 8192
    store.put([(b"small", b"x"), (b"large", large), (b"last", b"y")])
    assert dict(store.items()) == {b"small": b"x", b"large": large, b"last": b"y"}
    store.close()


def test_a_value_beyond_what_a_place_can_say_is_refused(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    with pytest.raises(ValueError, match="too large for the table"):
        store.put([(b"a", bytes(1 << 24))])
    store.close()
