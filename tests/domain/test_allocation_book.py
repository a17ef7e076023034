import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty_stream.domain.allocation_book import serve, take_back
from loyalty_stream.domain.allocation_records import Given, Served


@pytest.mark.parametrize(
    ("given_already", "quantity", "limit", "partial", "served"),
    [
        (0, 3, 10, False, 3),
        (8, 3, 10, False, 0),  # all or nothing
        (8, 2, 10, False, 2),
        (8, 3, 10, True, 2),
        (10, 1, 10, True, 0),
        (12, 1, 10, True, 0),  # the limit was lowered
        (10, 3, 12, True, 2),  # and raised
    ],
)
def test_what_is_left_is_served(given_already, quantity, limit, partial, served):
    given_out = Given(given_already)
    assert serve(given_out, quantity, limit, partial=partial) == served
    assert given_out.quantity == given_already + served


def test_what_comes_back_comes_back_once_and_can_be_given_again():
    given_out = Given()
    served = Served(serve(given_out, 5, 5, partial=False), 0)
    assert serve(given_out, 1, 5, partial=True) == 0
    assert take_back(given_out, served) == 5
    assert take_back(given_out, served) == 0
    assert serve(given_out, 5, 5, partial=False) == 5


@given(st.lists(st.tuples(st.integers(1, 9), st.booleans(), st.booleans())), st.integers(0, 30))
def test_never_more_than_the_limit_and_nobody_is_refused_what_there_is(requests, limit):
    given_out = Given()
    for quantity, partial, comes_back in requests:
        left = limit - given_out.quantity
        served = Served(serve(given_out, quantity, limit, partial=partial), 0)
        assert 0 <= given_out.quantity <= limit
        assert served.given == (min(quantity, left) if partial or quantity <= left else 0)
        if comes_back:
            take_back(given_out, served)
            assert given_out.quantity == limit - left
