"""The secret of coupon codes: needed where there are coupons, read from a file, and shown to nobody."""

import pytest
from msgspec.structs import replace

from loyalty_stream.cli.options import OptionError, with_coupon_secret
from tests.domain.given import RULES
from tests.domain.given_rewards import CUP, MALL


def test_without_coupons_no_secret_is_needed():
    goods = replace(RULES, rewards={CUP.id: CUP})
    assert with_coupon_secret(goods, None) is goods


def test_coupons_need_one():
    with pytest.raises(OptionError, match=r"--coupon-secret-file is missing: the codes of reward off-10"):
        with_coupon_secret(MALL, None)


def test_it_is_the_text_of_the_file_and_is_not_shown(tmp_path):
    file = tmp_path / "secret"
    file.write_bytes(b"sixteen bytes or more\n")
    rules = with_coupon_secret(MALL, file)
    again = tmp_path / "again"
    again.write_bytes(b"sixteen bytes or more")
    assert rules.coupon_secret.mac("x") == with_coupon_secret(MALL, again).coupon_secret.mac("x")
    assert "sixteen" not in repr(rules)


@pytest.mark.parametrize(
    ("text", "said"), [(b"short", "holds 5 bytes, at least 16"), (None, "cannot be read")]
)
def test_one_that_is_no_use_is_refused(tmp_path, text, said):
    file = tmp_path / "secret"
    if text is not None:
        file.write_bytes(text)
    with pytest.raises(OptionError, match=said):
        with_coupon_secret(MALL, file)
