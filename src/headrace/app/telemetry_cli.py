"""Verbs of signed telemetry: who may sign, and what a bundle proves."""

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

__all__ = ["add_verify", "keys"]

keys = App(name="keys", help="Identities of devices and gateways: enrol, rotate, revoke.")

Json = Annotated[bool, Parameter(name="--json", negative="", help="Print JSON instead of tables.")]
Folder = Annotated[Path, Parameter(name="--folder", help="Folder of the site's keys.")]
Name = Annotated[str, Parameter(help="Name of the device or gateway.")]
As = Annotated[str, Parameter(name="--role", help="device or gateway.")]
Since = Annotated[str | None, Parameter(name="--at", help="From when it counts, ISO-8601 (UTC if no zone); now.")]
Why = Annotated[str, Parameter(name="--reason", help="Why, for whoever reads the chain.")]
KEYS = Path("keys")


def add_verify(app: App) -> None:
    """Give the command line its verb `verify`."""

    @app.command
    def verify(
        bundle: Annotated[Path, Parameter(help="Bundle of signed telemetry (JSON lines).")],
        /,
        *,
        trust: Annotated[str | None, Parameter(help="Fingerprint of the site's authority, from its owner.")] = None,
        json: Json = False,
    ) -> None:
        """Check a bundle of signed telemetry offline: keys, signatures, Merkle roots, totals, gaps."""
        from headrace.app.telemetry_verbs import run_verify

        run_verify(bundle, trust=trust, as_json=json)


@keys.command(name="init")
def keys_init(
    site: Annotated[str, Parameter(help="The site's name.")], /, *, folder: Folder = KEYS, json: Json = False
) -> None:
    """Make a site's authority and an empty chain of identities."""
    from headrace.app.telemetry_verbs import run_keys_init

    run_keys_init(folder, site=site, as_json=json)


@keys.command(name="enrol")
def keys_enrol(
    *names: Name,
    role: As = "device",
    rated_w: Annotated[int, Parameter(help="Rated power of a device, W; a reading above it is refused.")] = 0,
    at: Since = None,
    reason: Why = "",
    folder: Folder = KEYS,
    json: Json = False,
) -> None:
    """Make a key for each new device or gateway and enrol it."""
    from headrace.app.telemetry_verbs import run_keys_enrol

    run_keys_enrol(folder, names, role=role, at=at, power_max_w=rated_w, reason=reason, as_json=json)


@keys.command(name="rotate")
def keys_rotate(
    name: Name, /, *, role: As = "device", at: Since = None, reason: Why, folder: Folder = KEYS, json: Json = False
) -> None:
    """Replace a key by a new one; the old one signs for it."""
    from headrace.app.telemetry_verbs import run_keys_change

    run_keys_change(folder, "rotate", role=role, name=name, at=at, reason=reason, as_json=json)


@keys.command(name="revoke")
def keys_revoke(
    name: Name, /, *, role: As = "device", at: Since = None, reason: Why, folder: Folder = KEYS, json: Json = False
) -> None:
    """Make a key count for nothing from a time on, which may lie back when it was stolen."""
    from headrace.app.telemetry_verbs import run_keys_change

    run_keys_change(folder, "revoke", role=role, name=name, at=at, reason=reason, as_json=json)


@keys.command(name="show")
def keys_show(*, folder: Folder = KEYS, json: Json = False) -> None:
    """Say who may sign, since when, and the authority's fingerprint."""
    from headrace.app.telemetry_verbs import run_keys_show

    run_keys_show(folder, as_json=json)
