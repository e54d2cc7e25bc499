"""What we hand out to start from works: the guide's site and every example are read without a problem."""

import re
import tomllib
from pathlib import Path

from headrace.adapters.devicefile import load_devices
from headrace.adapters.feeds.catalogue import catalogue
from headrace.adapters.sitefile import load_site, parse_site

TOML = re.compile(r"^```toml\n(.*?)^```", re.MULTILINE | re.DOTALL)


def _blocks(root: Path) -> list[str]:
    return TOML.findall((root / "docs/guides/write-your-own-site.md").read_text(encoding="utf-8"))


def _unknown(feeds: dict) -> set[str]:
    return {name for name in feeds.values() if isinstance(name, str)} - set(catalogue())


def test_the_guides_first_site_is_whole(root):
    loaded = parse_site(_blocks(root)[0], Path("my-site.toml"))
    assert loaded.window is not None
    assert _unknown(loaded.feeds) == set()


def test_the_guides_further_tables_fit_the_first_site(root):
    first, battery, ai, demand, *own = _blocks(root)[:6]
    whole = first.replace("[feeds]", demand.strip()) + battery + ai
    loaded = parse_site(whole, Path("my-site.toml"))
    assert loaded.site.battery is not None
    assert [lease.name for lease in loaded.site.leases] == ["lab", "batch"]
    assert _unknown(loaded.feeds) == set()
    assert _unknown(tomllib.loads(own[0])["feeds"]) == set()
    declared = re.sub(r"^real_time = .*\n", "", first, flags=re.MULTILINE) + own[1]
    assert not isinstance(parse_site(declared, Path("my-site.toml")).feeds["real_time"], str)


def test_the_guides_tables_of_contracts_owners_and_reserve_fit_the_same_site(root):
    blocks = _blocks(root)
    first, battery, ai, demand = blocks[:4]
    power, peaks, load, owners, reserve, price = blocks[6:]
    feeds = "\n".join([demand.strip(), *(part.replace("[feeds]", "").strip() for part in (load, price))])
    loaded = parse_site(
        first.replace("[feeds]", feeds) + battery + ai + power + peaks + owners + reserve, Path("my-site.toml")
    )
    site = loaded.site
    assert [each.name for each in site.contracts] == ["base load", "retailer"]
    assert [each.name for each in site.charges] == ["metering", "transmission"]
    assert [each.name for each in (*site.hosting, *site.tenants)] == ["host contract", "shell hall"]
    assert [each.load for each in site.allowances] == ["batch"]
    assert [each.name for each in site.reserves] == ["RRS"]
    assert site.cash is not None
    assert _unknown(loaded.feeds) == set()
    parse_site(first.replace("[feeds]", demand.strip()) + battery + ai + power + owners, Path("my-site.toml"))


def test_every_example_site_is_read_and_names_series_that_exist(root):
    files = sorted((root / "src/headrace/app/sites").glob("*.toml"))
    sites = [path for path in files if not path.name.endswith(".devices.toml")]
    assert sites, "the example sites are in src/headrace/app/sites"
    bad = {path.name: unknown for path in sites if (unknown := _unknown(load_site(path).feeds))}
    assert not bad, f"an example names a series that the catalogue does not have: {bad}"


def test_every_example_device_file_fits_its_site(root):
    for path in sorted((root / "src/headrace/app/sites").glob("*.devices.toml")):
        site = load_site(path.with_name(path.name.replace(".devices", "")))
        assert load_devices(path, site).inventory.assets
