"""The command line of the way to market, and of an event's report."""

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

__all__ = ["add_market"]

Json = Annotated[bool, Parameter(name="--json", negative="", help="Print JSON instead of tables.")]


def add_market(app: App) -> None:
    """Give the command line its verbs `offer`, `awards` and `event`."""
    app.command(offer)
    app.command(awards)
    app.command(event)


def offer(
    site: Annotated[Path, Parameter(help="Site file (TOML).")],
    /,
    *,
    day: Annotated[str, Parameter(name="--for", help="Local day to offer for, ISO-8601.")],
    out: Annotated[Path, Parameter(name="--out", help="Folder for the files.")],
    layout: Annotated[str, Parameter(name="--format", help="generic or ercot.")] = "generic",
    gate: Annotated[str, Parameter(help="Local time of the day before at which the gate closes.")] = "10:00",
    resource: Annotated[str | None, Parameter(help="The load's name in the market; the site's by default.")] = None,
    stored: Annotated[float | None, Parameter(help="MWh in the battery at the gate; half full by default.")] = None,
    data: Annotated[
        Path | None, Parameter(name="--data", env_var="HEADRACE_DATA", help="Folder of recorded data.")
    ] = None,
    json: Json = False,
) -> None:
    """Write the bid curves, reserve offers and operating plan of a day, from what is known at its gate."""
    from headrace.app.market_verbs import run_offer

    run_offer(
        site,
        day=day,
        out=out,
        data=data,
        layout=layout,
        gate=gate,
        resource=resource,
        stored_mwh=stored,
        as_json=json,
    )


def awards(
    file: Annotated[Path, Parameter(help="Awards from the market agent (CSV).")],
    /,
    *,
    out: Annotated[Path, Parameter(name="--out", help="Folder with the offers they answer.")],
    json: Json = False,
) -> None:
    """Check awards against what was offered and keep them beside the offers."""
    from headrace.app.market_verbs import run_awards

    run_awards(file, out=out, as_json=json)


def event(
    order: Annotated[str, Parameter(name="ID", help="Id of the order, as the journal and `headrace status` show it.")],
    /,
    *,
    site: Annotated[Path, Parameter(name="--site", help="Site file (TOML).")],
    out: Annotated[Path, Parameter(name="--out", help="Folder of the live site's journal and trace.")],
    meter: Annotated[str, Parameter(help="Meter at the connection.")] = "site",
    bundle: Annotated[Path | None, Parameter(help="Bundle of signed telemetry of the time.")] = None,
    to: Annotated[Path | None, Parameter(name="--to", help="Folder for the report; the journal's by default.")] = None,
    json: Json = False,
) -> None:
    """Report an event: instruction, metered trace, time to band, energy against each baseline, proof."""
    from headrace.app.event_verbs import run_event

    run_event(order, site=site, out=out, meter=meter, bundle=bundle, to=to, as_json=json)
