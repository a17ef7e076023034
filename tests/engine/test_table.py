from loyalty_stream.engine.table import Table


class Codec:
    """States are lists of one number, so that a change in place can be seen; counts its work."""

    def __init__(self) -> None:
        self.encoded = 0
        self.decoded = 0

    def encode(self, state: list[int]) -> bytes:
        self.encoded += 1
        return b"%d" % state[0]

    def decode(self, value: bytes) -> list[int]:
        self.decoded += 1
        return [int(value)]


def commit(table: Table) -> list[tuple[bytes, bytes | None]]:
    changes = table.changes()
    table.committed(changes)
    return changes


def test_a_touched_state_is_seen_at_once_but_not_from_outside() -> None:
    table = Table(Codec())
    table.touch(b"a", [1])
    assert table.get(b"a") == [1]
    assert table.committed_value(b"a") is None
    assert len(table) == 0
    assert table.has_changes


def test_a_commit_makes_it_visible_and_leaves_nothing_to_do() -> None:
    table = Table(Codec())
    table.touch(b"a", [1])
    assert commit(table) == [(b"a", b"1")]
    assert table.committed_value(b"a") == b"1"
    assert list(table.committed_items()) == [(b"a", b"1")]
    assert len(table) == 1
    assert not table.has_changes
    assert table.changes() == []


def test_however_often_it_was_touched_a_state_is_encoded_once() -> None:
    codec = Codec()
    table = Table(codec)
    for number in range(5):
        state = table.get(b"a") or [0]
        state[0] = number
        table.touch(b"a", state)
    assert commit(table) == [(b"a", b"4")]
    assert codec.encoded == 1


def test_outside_sees_the_old_value_while_the_new_one_is_worked_on() -> None:
    table = Table(Codec())
    table.touch(b"a", [1])
    commit(table)
    state = table.get(b"a")
    state[0] = 2
    table.touch(b"a", state)
    assert table.committed_value(b"a") == b"1"
    commit(table)
    assert table.committed_value(b"a") == b"2"


def test_an_unknown_key_has_no_state() -> None:
    table = Table(Codec())
    assert table.get(b"a") is None
    assert table.committed_value(b"a") is None


def test_what_is_deleted_is_gone_and_its_change_is_a_tombstone() -> None:
    table = Table(Codec())
    table.restore_all([(b"a", b"1"), (b"b", b"2")])
    assert table.get(b"a") == [1]
    table.delete(b"a")
    table.delete(b"b")
    assert (table.get(b"a"), table.get(b"b")) == (None, None)
    changes = table.changes()
    assert changes == [(b"a", None), (b"b", None)]
    table.committed(changes)
    assert len(table) == 0
    assert table.get(b"a") is None
    table.touch(b"a", [3])
    assert table.get(b"a") == [3]
    assert table.changes() == [(b"a", b"3")]


def test_the_last_record_of_the_changelog_counts() -> None:
    table = Table(Codec())
    table.restore(b"a", b"1")
    table.restore(b"b", b"7")
    table.restore(b"a", b"2")
    assert table.get(b"a") == [2]
    assert len(table) == 2
    assert not table.has_changes


def test_a_tombstone_takes_a_key_out_also_one_that_is_not_there() -> None:
    table = Table(Codec())
    table.restore(b"a", b"1")
    table.restore(b"a", None)
    table.restore(b"b", None)
    assert table.get(b"a") is None
    assert len(table) == 0
    table.restore(b"a", b"3")
    assert table.get(b"a") == [3]


def test_hot_states_are_decoded_once_and_cold_ones_are_let_go() -> None:
    codec = Codec()
    table = Table(codec, cached_states=4)  # two in a generation
    for number in range(10):
        table.restore(b"%d" % number, b"%d" % number)
    for number in range(10):
        assert table.get(b"hot") is None
        assert table.get(b"0") == [0]
        assert table.get(b"%d" % number) == [number]
        commit(table)
    assert codec.decoded == 10  # key 0 once, the others once
    assert table.get(b"1") == [1]
    assert codec.decoded == 11


def test_a_state_that_is_being_changed_survives_two_generations() -> None:
    """A generation ends only with a commit, so what is touched is never decoded anew from an older value."""
    table = Table(Codec(), cached_states=2)
    table.touch(b"a", [1])
    commit(table)
    for number in range(20):
        table.touch(b"k%d" % number, [number])
    state = table.get(b"a")
    state[0] = 5
    table.touch(b"a", state)
    for number in range(20):
        table.get(b"k%d" % number)
    assert table.get(b"a") == [5]
    commit(table)
    for number in range(20):
        table.touch(b"m%d" % number, [number])
        commit(table)
    assert table.get(b"a") == [5]


def test_a_state_has_one_identity_between_two_commits() -> None:
    table = Table(Codec(), cached_states=2)
    for number in range(9):
        table.restore(b"%d" % number, b"%d" % number)
    first = table.get(b"3")
    for number in range(9):
        table.get(b"%d" % number)
    assert table.get(b"3") is first
