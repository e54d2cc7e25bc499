"""What `headrace live-demo` does: play, sum up, print."""

import asyncio
import signal
import sys
from pathlib import Path
from typing import Any

from rich.console import Console

from headrace.app.live_demo.scenario import play
from headrace.app.live_demo.summary import summary_of
from headrace.app.printing import console, show
from headrace.core import BadInput

__all__ = ["run_live_demo"]

METER = "poi"
"""The meter at the connection."""


def run_live_demo(out: Path, *, as_json: bool) -> None:
    """Play the demo into `out` and print what it showed.

    Raises
    ------
    headrace.core.BadInput
        If the folder or this system can't be used, or packages are missing.
    headrace.app.live_demo.children.DemoFailed
        If something did not happen in time.
    """
    page = console()

    def tell(step: str) -> None:
        if not as_json:
            page.print(f"  {step}", highlight=False, markup=False)

    tell("site of 1 MW, 60 times as fast as the wall; simulated devices behind real protocols on loopback")
    try:
        happened = asyncio.run(play(out, tell))
    except asyncio.CancelledError:  # SIGTERM: every process that it started has ended
        sys.stderr.write("headrace: stopped\n")
        sys.exit(128 + signal.SIGTERM)
    except ModuleNotFoundError as error:
        do = "pip install 'headrace[live]' brings what a live site needs"
        raise BadInput(f"package {error.name}", "is not installed", do) from error
    show(summary_of(happened, METER), _draw, as_json=as_json)


def _draw(found: dict[str, Any], page: Console) -> None:
    order, devices, restored = found["order"], found["devices"], found["restored"]
    verify, files = found["verify"], found["files"]
    band = "never in its band to stay"
    if order["in_band_s"] is not None:
        band = f"in its band after {_both(order['in_band_s'], order['in_band_s'] / found['speed'])}"
    waves = f"{restored['waves']} waves, {restored['commands']} commands"
    back = "not finished" if restored["after_s"] is None else f"{_both(restored['after_s'], restored['after_wall_s'])}"
    rows = (
        ("Asked", f"{order['asked_mw']:.3f} MW less within {order['within_s']:.0f} s, by {order['issued_by']}"),
        ("Metered", f"{order['metered_mw']:.3f} MW less, {band}"),
        (
            "Devices",
            f"{devices['commanded']} commanded, {devices['acknowledged']} acknowledged, "
            f"{devices['confirmed']} confirmed one by one by a meter",
        ),
        (
            "",
            f"silent: {_names(devices['silent'])}; lying: {_names(devices['lying'])}; "
            f"made so: {_names(devices['went_wrong'])}",
        ),
        ("", f"suspected: {_names(devices['suspected'])}"),
        ("", f"switches opened for what was missing: {_names(devices['switches'])}"),
        ("Restored", f"{back} after the grid let go, {waves}"),
        ("Reported", f"{order['reports']} reports of delivery reached the grid operator"),
        (
            "Verify",
            f"{verify['intervals']} signed intervals, {verify['readings']} readings, {verify['faults']} faults, "
            f"authority {'trusted' if verify['is_trusted'] else 'UNKNOWN'}",
        ),
        ("Reproduce", f"{found['reproduce']['records']} records, the same bytes"),
        ("Took", f"{found['wall_s']:.0f} s"),
    )
    page.print()
    for name, text in rows:
        page.print(f"{name:<10}{text}", highlight=False, markup=False, soft_wrap=True)
    page.print()
    for name in ("html", "json", "journal", "bundle"):
        page.print(f"{name:<10}{files[name]}", highlight=False, markup=False, soft_wrap=True)


def _both(site_s: float, wall_s: float) -> str:
    return f"{site_s:.0f} s of site time ({wall_s:.1f} s of the wall)"


def _names(names: list[str]) -> str:
    return ", ".join(names) or "none"
