"""The device file: what fits becomes an inventory, what does not is named with its key and line, secrets never."""

from pathlib import Path

import pytest

from equipment_rigs import SITES, edge_devices, edge_site, edge_text
from headrace.adapters.devicefile import devices_schema, load_devices, parse_devices, read_secret, secret_path
from headrace.adapters.devicefile.fields import addresses_of, filled
from headrace.adapters.sitefile import load_site
from headrace.adapters.sitefile.errors import SiteFileError
from headrace.control.assets import AssetKind
from headrace.core import BadInput


def refused(text: str) -> str:
    with pytest.raises(SiteFileError) as caught:
        parse_devices(text, Path("x.devices.toml"), edge_site())
    return str(caught.value)


def test_a_group_becomes_one_asset_an_address():
    devices = edge_devices()
    nodes = [each for each in devices.inventory.assets if each.kind is AssetKind.NODE]
    assert [nodes[0].name, nodes[-1].name] == ["edge-01", "edge-41"]
    assert nodes[0].address == "127.11.0.1:8631"
    assert sum(each.full_mw for each in nodes) == pytest.approx(0.429, rel=1e-3)
    assert devices.inventory.battery_meter == "storage"
    assert devices.notes == ()


def test_power_left_out_is_the_loads_by_number_of_machines():
    site = load_site(SITES / "demo_mixed.toml")
    devices = load_devices(SITES / "demo_mixed.devices.toml", site)
    own = [each for each in devices.inventory.assets if each.load == "own S21"]
    assert len(own) == 5700
    assert own[0].full_mw == pytest.approx(3500e-6)


def test_every_problem_is_named_at_once_with_its_line():
    text = edge_text().replace('load = "edge"', 'load = "edga"').replace("limit_mw = 0.25", "limit_mw = 0.1")
    message = refused(text.replace('outdoor = "outdoor"', 'outdoor = "outdor"'))
    assert 'nodes["edge"].load: must name a load of the site file, was "edga". Did you mean edge?' in message
    assert 'feeder["storage"].limit_mw: must carry what hangs on it, 0.2 MW, was 0.1' in message
    assert "bms.outdoor" in message
    assert message.count("\n") == 2
    assert message.startswith("x.devices.toml line ")


@pytest.mark.parametrize(
    ("find", "put", "told"),
    [
        ('host = "127.12.0.4"', 'hots = "127.12.0.4"', "battery.hots: unknown key. Did you mean host?"),
        ("full_kw = 10.463 ", "full_kw = 12.0 ", "draw 0.492 MW, the site file gives it 0.429 MW"),
        ('contactor = "rack.k1"', "", "must switch one feeder, 0 feeders name it"),
        ('name = "rack.k1"', 'name = "edge-07"', '"edge-07" is taken'),
        ('"127.11.0.1-127.11.0.41"', '"127.11.0.9-127.11.0.1"', "must rise"),
        ('asset = "{group}-{n:02}"', 'asset = "{group.x}"', "must hold {n}"),
        ('counts_imported = "it_wh"', 'counts_imported = "it_kwh"', 'is no counter: "it_kwh"'),
        ('[[meter]]\nname = "poi"', '[[meter]]\nname = "poi"\nprotocol = "mqtt"', "there is no [mqtt] table"),
        ("standby_kw = 3.139", "standby_kw = 30.0", "must be below the full power"),
        ("[bms]", '[api]\nbind = "0.0.0.0"\n[bms]', "must be a loopback address"),
        ("[bms]", '[[counter]]\nname = "hash_ph.x"\nhost = "h"\nregister = { address = 1 }\n[bms]', "is no counter"),
    ],
)
def test_what_does_not_fit_is_told(find, put, told):
    assert find in edge_text()
    assert told in refused(edge_text().replace(find, put, 1))


@pytest.mark.parametrize("secret", ['"hunter2-literal"', "20271988", '["hunter2-literal"]'])
def test_a_literal_secret_is_refused_and_not_repeated(secret):
    message = refused(edge_text().replace('name = "edge"\n', f'name = "edge"\ntoken = {secret}\n'))
    assert "never hold it" in message
    assert "hunter2" not in message
    assert "2027" not in message


def test_an_old_key_with_a_secret_is_refused_without_its_value():
    message = refused(edge_text().replace('name = "edge"\n', 'name = "edge"\npassword = "hunter2"\n'))
    assert "unknown key" in message
    assert "hunter2" not in message


def test_a_secret_is_read_where_it_is_named_and_shown_nowhere(tmp_path):
    (tmp_path / "key").write_text("s3cret\n", encoding="utf-8")
    secret = read_secret("file:key", folder=tmp_path, environ={})
    assert secret.reveal() == "s3cret"
    assert "s3cret" not in f"{secret} {secret!r}"
    assert read_secret("env:TOKEN", folder=tmp_path, environ={"TOKEN": "t"}).reveal() == "t"
    assert secret_path("file:key", folder=tmp_path) == tmp_path / "key"


@pytest.mark.parametrize("reference", ["env:MISSING", "file:missing", "file:empty"])
def test_a_secret_that_is_not_there_is_told_by_its_place(tmp_path, reference):
    (tmp_path / "empty").write_text("\n", encoding="utf-8")
    with pytest.raises(BadInput, match=r"MISSING|missing|empty"):
        read_secret(reference, folder=tmp_path, environ={})


def test_ranges_leave_out_network_and_broadcast_addresses():
    assert addresses_of("10.0.0.254-10.0.1.1") == ("10.0.0.254", "10.0.1.1")
    assert len(addresses_of("10.0.0.0/22")) == 4 * 254
    assert addresses_of("10.0.0.7") == ("10.0.0.7",)
    assert filled("{group}.m{n:03}", group="A", n=7) == "A.m007"


def test_the_digest_ignores_comments_and_layout():
    assert edge_devices(f"# another comment\n{edge_text()}").digest == edge_devices().digest
    changed = edge_text().replace("watchdog_s = 30.0", "watchdog_s = 31.0")
    assert edge_devices(changed).digest != edge_devices().digest


def test_the_schema_describes_every_field():
    schema = devices_schema()
    sections = [schema, *schema["$defs"].values()]
    fields = [field for each in sections for field in each.get("properties", {}).values()]
    assert fields
    assert all("description" in field or "$ref" in field for field in fields)


FACTORY = """
[mqtt]

[[dsx_flex]]
name = "hall1"
load = "edge"
feeder = "{feeder}"
isv = "headrace"
agent = "hall1"
signing_key = "file:site.pem"
signing_key_id = "site-1"
factory_key = "file:hall1.pem"
factory_key_id = "hall-1"

[[dsx_flex.feed]]
tag = "main-a"
full_kw = {full_kw}
standby_kw = 3.0
"""


def factory_text(*, full_kw=429.0) -> str:
    """The edge site with its servers behind the contract of an AI factory."""
    before, _, after = edge_text().partition("[[nodes]]")
    feeder = after.partition('feeder = "')[2].partition('"')[0]
    return before + after[after.index("\n[") :] + FACTORY.format(full_kw=full_kw, feeder=feeder)


def test_a_feed_of_an_ai_factory_is_an_asset_of_its_own_driver():
    devices = parse_devices(factory_text(), Path("x.devices.toml"), edge_site())
    (feed,) = [each for each in devices.inventory.assets if each.kind is AssetKind.NODE]
    assert (feed.name, feed.address, feed.driver) == ("hall1.main-a", "main-a", "dsx-flex.hall1")
    assert feed.full_mw == pytest.approx(0.429)
    assert feed.least_mw == pytest.approx(0.003)


def test_feeds_that_do_not_add_up_to_their_load_are_told():
    assert "draw 0.2 MW, the site file gives it 0.429 MW" in refused(factory_text(full_kw=200.0))
