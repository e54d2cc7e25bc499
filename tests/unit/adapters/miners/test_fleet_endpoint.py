"""Where a miner is: what an asset's address may look like."""

import pytest

from headrace.adapters.miners.fleet import endpoint
from headrace.core import BadInput


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("10.1.3.17", ("10.1.3.17", 4028)),
        ("10.1.3.17:80", ("10.1.3.17", 80)),
        ("fd00::17", ("fd00::17", 4028)),
        ("[fd00::17]", ("fd00::17", 4028)),
        ("[fd00::17]:80", ("fd00::17", 80)),
    ],
)
def test_an_address_names_a_host_and_perhaps_a_port(address, found):
    assert endpoint(address, 4028) == found


@pytest.mark.parametrize("address", ["", "miner.example", "10.1.3.17:", "10.1.3.17:0", "10.1.3.17:65536", "10.1.3:x"])
def test_an_address_that_would_have_to_be_looked_up_or_guessed_is_refused(address):
    with pytest.raises(BadInput, match="address"):
        endpoint(address, 4028)
