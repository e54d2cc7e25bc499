"""The verbs that run a live site, and show one."""

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

__all__ = ["add_live_verbs"]

LIVE_DEMO_OUT = Path("live-demo-out")

SiteFile = Annotated[Path, Parameter(help="Site file (TOML).")]
Json = Annotated[bool, Parameter(name="--json", negative="", help="Print JSON instead of tables.")]


def add_live_verbs(app: App) -> None:
    """Give the command line the verbs of a live site."""
    app.command(live)
    app.command(live_demo)


def live(
    site: SiteFile,
    /,
    *,
    devices: Annotated[Path, Parameter(name="--devices", help="Device file (TOML): what can be moved and measured.")],
    out: Annotated[Path, Parameter(name="--out", help="Folder of the journal; a second start goes on with it.")],
    shadow: Annotated[bool, Parameter(name="--shadow", negative="", help="Decide beside the real site.")] = False,
    simulated: Annotated[bool, Parameter(name="--simulated", negative="", help="Simulated devices, no door.")] = False,
    policy: Annotated[str, Parameter(help="Who plans: rolling, desk, always-on or stochastic.")] = "rolling",
    lasting: Annotated[str | None, Parameter(name="--for", help="How long, site time: 90s, 15min, 2h, 7d.")] = None,
    speed: Annotated[float | None, Parameter(help="Site seconds a second; 0 jumps (with --simulated).")] = None,
    start: Annotated[str | None, Parameter(help="Site time at the start, ISO-8601, with --speed.")] = None,
    anchor: Annotated[float | None, Parameter(help="Wall time of --start, epoch seconds; now by default.")] = None,
    poll: Annotated[str | None, Parameter(help="Period of the watch, site time: 1s by default.")] = None,
    data: Annotated[
        Path | None,
        Parameter(name="--data", env_var="HEADRACE_DATA", help="Recorded data that stand in for live feeds."),
    ] = None,
    seed: Annotated[int, Parameter(help="Of simulated devices.")] = 0,
    api: Annotated[bool, Parameter(help="Serve the operator's API ([api] of the device file).")] = True,
    log: Annotated[Path | None, Parameter(help="File for the log, JSON lines; standard error if left out.")] = None,
    json: Json = False,
) -> None:
    """Run a site: decide every few minutes, watch every second, meet orders at once, write everything down first."""
    from headrace.app.live.verbs import run_live_verb

    run_live_verb(
        site,
        devices=devices,
        out=out,
        is_shadow=shadow,
        is_simulated=simulated,
        policy=policy,
        lasting=lasting,
        speed=speed,
        start=start,
        anchor_s=anchor,
        poll=poll,
        data=data,
        seed=seed,
        has_api=api,
        log=log,
        as_json=json,
    )


def live_demo(
    *,
    out: Annotated[Path, Parameter(name="--out", help="Folder for everything it writes.")] = LIVE_DEMO_OUT,
    json: Json = False,
) -> None:
    """Take a small site on this machine through a grid emergency: simulated devices, real protocols, 60x speed."""
    from headrace.app.live_demo.verbs import run_live_demo

    run_live_demo(out, as_json=json)
