from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from loyalty_stream.engine.timers import NEVER, Timers

HOUR = 3_600_000


class Dues:
    """Which key falls due when, as a stage's table would say."""

    def __init__(self) -> None:
        self.of: dict[bytes, int] = {}
        self.timers = Timers()

    def set(self, key: bytes, due: int) -> None:
        self.of[key] = due
        self.timers.schedule(key, due)

    def pop_all(self, now: int) -> list[tuple[int, bytes]]:
        popped = []
        while (entry := self.timers.pop(now, self.of.get)) is not None:
            popped.append(entry)
            del self.of[entry[1]]
        return popped


def test_keys_come_in_the_order_of_their_instants_ties_by_key() -> None:
    dues = Dues()
    for key, due in [(b"d", 2 * HOUR), (b"b", 5), (b"c", 3), (b"a", 5), (b"e", 2 * HOUR - 1)]:
        dues.set(key, due)
    assert dues.pop_all(3 * HOUR) == [
        (3, b"c"),
        (5, b"a"),
        (5, b"b"),
        (2 * HOUR - 1, b"e"),
        (2 * HOUR, b"d"),
    ]


def test_what_is_due_at_the_very_instant_comes_and_a_millisecond_later_does_not() -> None:
    dues = Dues()
    dues.set(b"a", HOUR)
    dues.set(b"b", HOUR + 1)
    assert dues.pop_all(HOUR - 1) == []
    assert dues.pop_all(HOUR) == [(HOUR, b"a")]
    assert dues.pop_all(HOUR + 1) == [(HOUR + 1, b"b")]


def test_a_stale_entry_is_asked_again_and_comes_when_it_is_due() -> None:
    dues = Dues()
    dues.set(b"a", 10)
    dues.of[b"a"] = 5 * HOUR  # moved away without a word
    assert dues.pop_all(HOUR) == []
    assert dues.pop_all(5 * HOUR) == [(5 * HOUR, b"a")]


def test_a_key_that_is_no_longer_due_never_comes() -> None:
    dues = Dues()
    dues.set(b"a", 10)
    dues.set(b"b", 2 * HOUR)
    dues.of.clear()
    assert dues.pop_all(NEVER - 1) == []
    assert dues.timers.earliest == NEVER


def test_a_key_scheduled_again_and_again_comes_once() -> None:
    dues = Dues()
    for due in (3 * HOUR, 3 * HOUR, 2 * HOUR, 40, 40):
        dues.set(b"a", due)
    assert dues.pop_all(9 * HOUR) == [(40, b"a")]


def test_what_is_scheduled_behind_the_hour_that_is_open_still_comes_first() -> None:
    dues = Dues()
    dues.set(b"a", 7 * HOUR)
    dues.set(b"b", 7 * HOUR + 5)
    assert dues.timers.pop(7 * HOUR, dues.of.get) == (7 * HOUR, b"a")
    dues.set(b"c", HOUR)
    assert dues.pop_all(8 * HOUR) == [(HOUR, b"c"), (7 * HOUR + 5, b"b")]


def test_earliest_is_no_later_than_the_first_that_falls_due() -> None:
    dues = Dues()
    assert dues.timers.earliest == NEVER
    dues.set(b"a", 5 * HOUR + 7)
    assert dues.timers.earliest <= 5 * HOUR + 7
    dues.set(b"b", 3)
    assert dues.timers.earliest <= 3
    dues.pop_all(3)
    assert 3 < dues.timers.earliest <= 5 * HOUR + 7


def test_nothing_before_its_hour_is_asked_about() -> None:
    """A million cold keys cost nothing until their hour has come."""
    asked: list[bytes] = []
    timers = Timers()
    for number in range(100):
        timers.schedule(b"%d" % number, (number + 2) * HOUR)

    def due_of(key: bytes) -> int:
        asked.append(key)
        return (int(key) + 2) * HOUR

    assert timers.pop(2 * HOUR - 1, due_of) is None
    assert asked == []
    assert timers.pop(2 * HOUR, due_of) == (2 * HOUR, b"0")
    assert set(asked) == {b"0"}


instants = st.one_of(
    st.integers(0, 30), st.integers(0, 6 * HOUR), st.sampled_from([HOUR - 1, HOUR, HOUR + 1, 3 * HOUR])
)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("set"), st.sampled_from([b"a", b"b", b"c", b"d"]), instants),
        st.tuples(st.just("later"), st.sampled_from([b"a", b"b", b"c", b"d"]), instants),
        st.tuples(st.just("forget"), st.sampled_from([b"a", b"b", b"c", b"d"]), st.just(0)),
        st.tuples(st.just("pop"), st.just(b""), instants),
    ),
    max_size=60,
)


@given(steps)
def test_pops_are_those_of_a_sorted_list(steps: list[tuple[str, bytes, int]]) -> None:
    """Against the obvious: what is due by now, sorted. Keys may be moved later or forgotten without a word."""
    dues = Dues()
    pop: Callable[[int], tuple[int, bytes] | None] = lambda now: dues.timers.pop(now, dues.of.get)  # noqa: E731
    for step, key, instant in [*steps, ("pop", b"", NEVER - 1)]:
        if step == "set":
            dues.set(key, instant)
        elif step == "later" and key in dues.of:
            dues.of[key] += instant
        elif step == "forget":
            dues.of.pop(key, None)
        elif step == "pop":
            expected = sorted((due, key) for key, due in dues.of.items() if due <= instant)
            popped = []
            while (entry := pop(instant)) is not None:
                popped.append(entry)
                del dues.of[entry[1]]
            assert popped == expected
    assert not dues.of
