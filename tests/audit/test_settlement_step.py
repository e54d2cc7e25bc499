"""A settlement interval is billed at one price, so a price that moves inside it cannot be billed."""

import pytest

from headrace.adapters.sitefile import load_site
from headrace.core import BadInput
from replays import SITES


def test_a_price_finer_than_the_settlement_step_is_refused(tmp_path):
    text = (SITES / "edge_500kw.toml").read_text()
    assert "settlement_step_min = 5" in text
    path = tmp_path / "edge.toml"
    path.write_text(text.replace("settlement_step_min = 5", "settlement_step_min = 15"))
    with pytest.raises(BadInput, match=r"real_time.*price every 5 min"):
        load_site(path)
    path.write_text(text)
    assert load_site(path).site.market.settlement_step_s == 300
