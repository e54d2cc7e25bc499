"""The verb that serves a simulated site."""

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from headrace.core import BadInput

__all__ = ["add_sim_verb"]

SiteFile = Annotated[Path, Parameter(help="Site file (TOML).")]


def add_sim_verb(app: App) -> None:
    """Give the command line the verb."""
    app.command(sim)


def sim(
    site: SiteFile,
    /,
    *,
    devices: Annotated[Path, Parameter(name="--devices", help="Device file (TOML), with loopback addresses.")],
    speed: Annotated[float, Parameter(help="Site seconds per second.")] = 1.0,
    start: Annotated[str | None, Parameter(help="Site time at the start, ISO-8601.")] = None,
    anchor: Annotated[float | None, Parameter(help="Wall time of --start, epoch seconds; now by default.")] = None,
    seed: Annotated[int, Parameter(help="Of everything drawn at random.")] = 0,
    faults: Annotated[Path | None, Parameter(help="File of faults (TOML).")] = None,
    data: Annotated[
        Path | None,
        Parameter(name="--data", env_var="HEADRACE_DATA", help="Recorded weather and demand."),
    ] = None,
) -> None:
    """Serve a simulated site over the real protocols on loopback, until it is told to stop."""
    try:
        from headrace.app.simulating import run_sim
    except ModuleNotFoundError as error:
        do = "pip install 'headrace[live]' brings what it needs"
        raise BadInput(f"package {error.name}", "is not installed", do) from error
    run_sim(
        site,
        devices=devices,
        speed=speed,
        start=start,
        anchor_s=anchor,
        seed=seed,
        faults=faults,
        data=data,
    )
