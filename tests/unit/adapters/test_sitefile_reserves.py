"""Reserves in a site file: what is built, and what is refused with its reason."""

from importlib import resources
from pathlib import Path

import pytest

from headrace.adapters.sitefile import parse_site
from headrace.adapters.sitefile.errors import SiteFileError

TEXT = (Path(str(resources.files("headrace.app.bench"))) / "reserve_site.toml").read_text(encoding="utf-8")
PATH = Path("site.toml")


def test_a_reserve_is_built_with_its_dated_products():
    rrs = parse_site(TEXT, PATH).site.reserves[0]
    assert rrs.loads == ("S21 halls", "S19 halls")
    assert [product.is_sold_ahead for product in rrs.products] == [True, False]
    assert rrs.calls is None


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('product = "ERCOT RRS"', 'product = "ERCOT RegDn"', "downward reserve"),
        ('product = "ERCOT RRS"', 'product = "ERCOT ECRS"', "already sold"),
        ('product = "ERCOT RRS"', 'product = "ERCOT FFR"', "not in the built-in catalogue"),
        ("desk_mw = 20.0", "desk_mw = 51.0", "at most qualified_mw"),
        ("response_s = 60.0", "response_s = 700.0", "must be at most 600"),
        ('loads = ["S21 halls", "S19 halls"]', 'loads = ["S21 hals"]', "a miner or a curtailable lease"),
        ('rrs = "ercot.reserve.rrs"', 'rrs = "ercot.real_time.hb_west"', "usd_per_mw_h"),
        ('rrs = "ercot.reserve.rrs"\n', "", "role rrs is not declared"),
    ],
)
def test_a_contradiction_is_refused_with_its_reason(old, new, says):
    with pytest.raises(SiteFileError, match=says):
        parse_site(TEXT.replace(old, new, 1), PATH)
