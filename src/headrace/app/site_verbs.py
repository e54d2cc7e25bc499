"""What `check` and `new` do. They start fast: nothing here reads a series or compiles a solver."""

import json
from pathlib import Path
from typing import Any

from headrace.adapters.sitefile import LoadedSite, load_site, new_site_text, site_schema
from headrace.app.printing import console, print_json
from headrace.core import BadInput
from headrace.engine.atomic import replacing_file

__all__ = ["run_check", "run_new"]


def run_check(site: Path, *, as_json: bool, devices: Path | None = None) -> None:
    """Check a site file, and a device file with it, and say what they declare."""
    loaded = load_site(site)
    equipment = {} if devices is None else _equipment(devices, loaded)
    window = loaded.window
    summary = {
        "site": loaded.site.name,
        "currency": loaded.site.currency.value,
        "settlement_point": f"{loaded.site.market.name} {loaded.site.market.settlement_point}",
        "import_max_mw": loaded.site.connection.import_max_mw,
        "period": None if window is None else [window.start.isoformat(), window.end.isoformat()],
        "digest": loaded.digest,
        "notes": list(loaded.notes),
    } | equipment
    if as_json:
        print_json(summary)
        return
    lines = summary | {
        "period": "none" if window is None else f"{window.start.isoformat()} to {window.end.isoformat()}",
        "notes": "; ".join(loaded.notes) or "none",
    }
    page = console()
    page.print(f"{site}: a site Headrace can run.", highlight=False, markup=False)
    for key, value in lines.items():
        page.print(f"  {key.replace('_', ' ')}: {value}", highlight=False, markup=False)


def _equipment(path: Path, site: LoadedSite) -> dict[str, Any]:
    """What a device file declares."""
    from headrace.adapters.devicefile import load_devices

    read = load_devices(path, site)
    assets = read.inventory.assets
    kinds = sorted({each.kind.value for each in assets})
    return {
        "devices": {kind: sum(each.kind.value == kind for each in assets) for kind in kinds},
        "feeders": [each.name for each in read.inventory.feeders],
        "devices_digest": read.digest,
        "device_notes": list(read.notes),
    }


def run_new(name: str, *, folder: Path, as_json: bool) -> None:
    """Write a site file to start from, and its schema."""
    stem = "".join(c if c.isalnum() else "_" for c in name.lower()).strip("_")
    if not stem:
        raise BadInput(f"name {name!r}", "holds no letter or digit", "Name the site, e.g. `headrace new 'Cedar Bend'`")
    site, schema = folder / f"{stem}.toml", folder / "site.schema.json"
    if site.exists():
        raise BadInput(str(site), "there already", "Choose another name, or move the file away")
    with replacing_file(schema) as working:
        working.write_text(json.dumps(site_schema(), indent=2, sort_keys=True) + "\n", encoding="utf-8")
    with replacing_file(site) as working:
        working.write_text(new_site_text(name), encoding="utf-8")
    if as_json:
        print_json({"site": str(site), "schema": str(schema)})
        return
    page = console()
    page.print(f"Wrote {site} and {schema}.", soft_wrap=True, markup=False, highlight=False)
    page.print(f"Next: headrace check {site}; headrace replay {site}", soft_wrap=True, markup=False, highlight=False)
