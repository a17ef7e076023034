"""The first places against a plain sort of everybody, whatever comes and goes."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from loyalty_stream.domain.ranking import Ranking

CUSTOMERS = st.integers(0, 11).map(lambda number: b"c-%02d" % number)
SIZE = 2


class Places(RuleBasedStateMachine):
    """Whoever uses a ranking makes it anew from all scores when it is low."""

    def __init__(self) -> None:
        super().__init__()
        self.scores: dict[bytes, tuple[int, int]] = {}
        self.ranking = Ranking(SIZE, least_reserve=0)
        self.seen: list = []

    @rule(customer=CUSTOMERS, score=st.integers(-1, 6), reached=st.integers(0, 3))
    def put(self, customer: bytes, score: int, reached: int) -> None:
        self.scores[customer] = (score, reached)
        self.ranking.put(customer, score, reached)

    @rule(customer=CUSTOMERS)
    def remove(self, customer: bytes) -> None:
        self.scores.pop(customer, None)
        self.ranking.remove(customer)

    @rule()
    def refill(self) -> None:
        if self.ranking.is_low:
            changed = self.ranking.changed
            self.ranking = Ranking(SIZE, least_reserve=0)
            for customer, (score, reached) in self.scores.items():
                self.ranking.put(customer, score, reached)
            self.ranking.changed = changed or self.seen != self.expected()

    def expected(self) -> list:
        places = sorted((-score, at, who) for who, (score, at) in self.scores.items() if score > 0)
        return places[:SIZE]

    @invariant()
    def the_first_are_right(self) -> None:
        first, expected = list(self.ranking.first()), self.expected()
        assert first == expected[: len(first)]
        if self.ranking.is_exact:
            assert first == expected
        else:
            assert self.ranking.is_low
        for customer in self.scores:
            assert self.ranking.shows(customer) == (customer in {place[2] for place in first})

    @invariant()
    def a_change_is_noticed(self) -> None:
        first = list(self.ranking.first())
        if first != self.seen:
            assert self.ranking.changed
        self.seen, self.ranking.changed = first, False


Places.TestCase.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
TestPlaces = Places.TestCase


def test_equal_scores_go_by_who_was_first_then_by_id() -> None:
    ranking = Ranking(3)
    for customer, reached in ((b"c-2", 5), (b"c-1", 5), (b"c-3", 4)):
        ranking.put(customer, 10, reached)
    assert [customer for _, _, customer in ranking.first()] == [b"c-3", b"c-1", b"c-2"]


def test_a_score_that_stays_the_same_is_no_change() -> None:
    ranking = Ranking(3)
    ranking.put(b"c-1", 10, 5)
    ranking.changed = False
    ranking.put(b"c-1", 10, 5)
    assert not ranking.changed


def test_whoever_is_behind_the_reserve_changes_nothing() -> None:
    ranking = Ranking(2, least_reserve=0)
    for number in range(10):
        ranking.put(b"c-%d" % number, 100 - number, 0)
    assert ranking.lowest == 96
    ranking.changed = False
    ranking.put(b"c-9", 95, 0)
    assert not ranking.changed
    assert not ranking.is_low
