"""What `verify` and `keys` do."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec

from headrace.app.printing import console, print_json
from headrace.app.times import instant
from headrace.core import BadInput, ExitCode, HeadraceError, epoch_s, iso
from headrace.settlement.identities import KeyEvent, Role, fingerprint

__all__ = ["Unproven", "run_keys_change", "run_keys_enrol", "run_keys_init", "run_keys_show", "run_verify"]


class Unproven(HeadraceError):
    """A bundle does not prove what it says."""

    exit_code = ExitCode.REFUSED


def run_verify(bundle: Path, *, trust: str | None, as_json: bool) -> None:
    """Check a bundle of signed telemetry offline and say what it proves.

    Raises
    ------
    BadInput
        If the file is no bundle.
    Unproven
        If anything in it does not hold, after what was found is printed.
    """
    from headrace.adapters.keys.signing import Signatures
    from headrace.adapters.telemetry.bundle_file import read_bundle
    from headrace.settlement.bundle import verify_bundle

    header, intervals = read_bundle(bundle)
    verdict = verify_bundle(header, intervals, Signatures(), trusted=trust)
    figures = msgspec.to_builtins(verdict)
    if as_json:
        print_json(figures)
    else:
        page = console()
        faults = figures.pop("faults")
        for key, value in figures.items():
            page.print(f"  {key.replace('_', ' ')}: {value}", highlight=False, markup=False)
        for fault in faults:
            page.print(f"  FAULT {fault}", highlight=False, markup=False)
        if trust is None:
            page.print(
                "  The authority's fingerprint was not given: compare it with one from the site's owner (--trust).",
                highlight=False,
                markup=False,
            )
    if verdict.fault_count:
        raise Unproven(f"{bundle}: {verdict.fault_count} faults, first: {verdict.faults[0]}")


def run_keys_init(folder: Path, *, site: str, as_json: bool) -> None:
    """Make a site's authority and an empty chain of identities."""
    from headrace.adapters.keys.chain import KeyFolder

    keys = KeyFolder.create(folder, site)
    _tell({"site": keys.site, "authority": fingerprint(keys.authority), "folder": str(folder)}, as_json=as_json)


def run_keys_enrol(
    folder: Path,
    names: tuple[str, ...],
    *,
    role: str,
    at: str | None,
    power_max_w: int,
    reason: str,
    as_json: bool,
) -> None:
    """Enrol devices or gateways."""
    from headrace.adapters.keys.chain import KeyFolder

    if not names:
        raise BadInput("headrace keys enrol", "no name", "Name what to enrol")
    keys, who, at_s = KeyFolder(folder), _role(role), _at_s(at)
    events = [keys.enrol(who, name, at_s=at_s, power_max_w=power_max_w, reason=reason) for name in names]
    _tell_events(events, as_json=as_json)


def run_keys_change(
    folder: Path, change: str, *, role: str, name: str, at: str | None, reason: str, as_json: bool
) -> None:
    """Rotate or revoke one identity."""
    from headrace.adapters.keys.chain import KeyFolder

    keys, who, at_s = KeyFolder(folder), _role(role), _at_s(at)
    made = keys.rotate if change == "rotate" else keys.revoke
    _tell_events([made(who, name, at_s=at_s, reason=reason)], as_json=as_json)


def _at_s(at: str | None) -> int:
    """From when a change counts, epoch seconds: as typed, or now."""
    return epoch_s(datetime.now(UTC) if at is None else instant(at, "UTC"))  # noqa: TID251  as is the clock


def _tell_events(events: list[KeyEvent], *, as_json: bool) -> None:
    told = [
        {
            "change": event.change.value,
            "role": event.role.value,
            "name": event.name,
            "key": fingerprint(event.public) if event.public else None,
            "from": iso(event.at_s),
        }
        for event in events
    ]
    if as_json:
        print_json({"events": told})
        return
    for each in told:
        console().print("  " + "  ".join(str(value) for value in each.values() if value), highlight=False, markup=False)


def run_keys_show(folder: Path, *, as_json: bool) -> None:
    """Say who may sign, and since when."""
    from headrace.adapters.keys.chain import KeyFolder

    keys = KeyFolder(folder)
    rows = [
        {
            "role": event.role.value,
            "name": event.name,
            "change": event.change.value,
            "key": fingerprint(event.public) if event.public else None,
            "from": iso(event.at_s),
            "reason": event.reason,
        }
        for event in keys.events
    ]
    if as_json:
        print_json({"site": keys.site, "authority": fingerprint(keys.authority), "events": rows})
        return
    page = console()
    page.print(f"{keys.site}, authority {fingerprint(keys.authority)}", highlight=False, markup=False)
    for row in rows:
        shown = "  ".join(str(value) for value in row.values() if value)
        page.print(f"  {shown}", highlight=False, markup=False)


def _tell(told: dict[str, str | None], *, as_json: bool) -> None:
    if as_json:
        print_json(told)
        return
    for key, value in told.items():
        console().print(f"  {key}: {value}", highlight=False, markup=False)


def _role(text: str) -> Role:
    try:
        return Role(text)
    except ValueError as error:
        raise BadInput(f"role {text!r}", "unknown", f"Choose from: {', '.join(Role)}") from error
