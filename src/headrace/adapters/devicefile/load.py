"""Read a device file: TOML in, a checked inventory and typed settings out, or every error at once."""

from pathlib import Path
from typing import Any, Final

import msgspec
from pydantic import ValidationError

from headrace.adapters.devicefile.build import build_inventory, group_assets
from headrace.adapters.devicefile.checks import device_findings, device_notes
from headrace.adapters.devicefile.schema import DeviceFile, MinersSection, NodesSection
from headrace.adapters.sitefile.explain import Place, problems_of
from headrace.adapters.sitefile.load import LoadedSite
from headrace.adapters.sitefile.toml_text import in_order, toml_text, unreadable
from headrace.control.assets import Asset, Inventory
from headrace.core import content_id

__all__ = ["LoadedDevices", "devices_schema", "load_devices", "parse_devices"]

OTHER_FILE: Final = "Name a device file; docs/device-file.md explains one"
FILE_MAX_BYTES: Final = 4 * 1024 * 1024
"""Longest device file read; a real one has a few kilobytes."""


class LoadedDevices(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A device file, checked against its site file."""

    inventory: Inventory
    """What control can move and measure."""
    file: DeviceFile
    """Settings of every driver and door, secrets by reference."""
    miner_groups: tuple[tuple[MinersSection, tuple[Asset, ...]], ...]
    """Groups of miners with their assets."""
    node_groups: tuple[tuple[NodesSection, tuple[Asset, ...]], ...]
    """Groups of servers with their assets."""
    path: Path
    """The file; secrets' relative paths count from its folder."""
    digest: str
    """Content id of what was read: the same for two files that differ in comments and layout only."""
    notes: tuple[str, ...]
    """What an operator should know of it."""


def load_devices(path: Path, site: LoadedSite) -> LoadedDevices:
    """Read and check a device file.

    Raises
    ------
    SiteFileError
        If the file can't be read or doesn't fit; it names every problem with its key and line.
    """
    try:
        with path.open("rb") as file:
            content = file.read(FILE_MAX_BYTES + 1)
        if len(content) > FILE_MAX_BYTES:
            raise unreadable(
                path, f"is longer than {FILE_MAX_BYTES} bytes, the most that a device file has", OTHER_FILE
            )
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise unreadable(path, f"can't be read: {error.strerror}", OTHER_FILE) from error
    except UnicodeDecodeError as error:
        raise unreadable(path, f"is not UTF-8 text (byte {error.start})", OTHER_FILE) from error
    return parse_devices(text, path, site)


def parse_devices(text: str, path: Path, site: LoadedSite) -> LoadedDevices:
    """Check the text of a device file; `path` is for messages and secrets."""
    document = toml_text(text, path, do=OTHER_FILE)
    place = Place.of(text, document, site.site.currency, DeviceFile)
    try:
        file = DeviceFile.model_validate(document)
    except ValidationError as error:
        # Not chained: pydantic's own message repeats values, and one of them may be a secret in the wrong place.
        raise in_order(path, problems_of(error, place)) from None
    problems = [place.problem(each.path, each.found, each.do) for each in device_findings(file, site.site, site.feeds)]
    if problems:
        raise in_order(path, problems)
    inventory = build_inventory(file, site.site)
    return LoadedDevices(
        inventory=inventory,
        file=file,
        miner_groups=tuple((each, group_assets(each, file, site.site)) for each in file.miners),
        node_groups=tuple((each, group_assets(each, file, site.site)) for each in file.nodes),
        path=path,
        digest=content_id(
            msgspec.json.encode(inventory, order="sorted"),
            msgspec.json.encode(file.model_dump(mode="json"), order="sorted"),
        ),
        notes=device_notes(file, site.site),
    )


def devices_schema() -> dict[str, Any]:
    """JSON schema (draft 2020-12) of a device file, for editors."""
    schema = DeviceFile.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "Headrace device file"
    for model in (schema, *schema["$defs"].values()):
        for field in model.get("properties", {}).values():
            field.pop("title", None)
    return schema
