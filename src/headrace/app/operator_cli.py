"""Verbs of an operator: look at a running site, and move its power."""

from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

__all__ = ["access", "add_operator_verbs"]

access = App(name="access", help="Who may use a site's API.")

Json = Annotated[bool, Parameter(name="--json", negative="", help="Print JSON instead of tables.")]
Api = Annotated[str, Parameter(name="--api", env_var="HEADRACE_API", help="Where the running site's API is.")]
TokenFile = Annotated[
    Path | None, Parameter(name="--token-file", help="File that holds your token; HEADRACE_TOKEN otherwise.")
]
Yes = Annotated[bool, Parameter(name="--yes", negative="", help="Do it at once, without the second step.")]
Why = Annotated[str, Parameter(name="--reason", help="Why, for the journal.")]
OnFeeder = Annotated[str, Parameter(name="--feeder", help="Feeder it is about; the whole site if left out.")]
AskedBy = Annotated[str, Parameter(name="--as", help="Who asks through you: voluntary, site, grid or safety.")]
HERE = "http://127.0.0.1:8620"


def seconds(text: str) -> float:
    """A length of time as an operator types it: 1s, 90, 15min, 5m, 2h; see `headrace.app.times.length_s`."""
    from headrace.app.times import length_s

    return length_s(text, {"s": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0})


def add_operator_verbs(app: App) -> None:
    """Give the command line the verbs of a running site."""
    app.command(access)
    app.command(status)
    app.command(shed)
    app.command(restore)
    app.command(hold)
    app.command(lock)
    app.command(release)


def status(*, api: Api = HERE, token_file: TokenFile = None, json: Json = False) -> None:
    """Say where a running site stands: mode, megawatts, orders, ages, alarms."""
    from headrace.app.operator_client import OperatorClient
    from headrace.app.operator_verbs import run_status

    run_status(OperatorClient(api, token_file), as_json=json)


def shed(
    *,
    mw: Annotated[float, Parameter(name="--mw", help="How much less to draw, MW.")],
    reason: Why,
    within: Annotated[str, Parameter(name="--within", help="How fast: 1s, 10min.")] = "1s",
    lasting: Annotated[str | None, Parameter(name="--for", help="How long; until restored if left out.")] = None,
    feeder: OnFeeder = "",
    authority: AskedBy = "site",
    yes: Yes = False,
    api: Api = HERE,
    token_file: TokenFile = None,
    json: Json = False,
) -> None:
    """Draw less, least worth first: shown, then done when you say so again."""
    body: dict[str, Any] = {"kind": "shed", "mw": mw, "within_s": seconds(within), "feeder": feeder, "reason": reason}
    body["for_s"] = None if lasting is None else seconds(lasting)
    _order(body | {"authority": authority}, api, token_file, yes=yes, json=json)


def restore(
    order: Annotated[str, Parameter(help="Id of the order to end, as `headrace status` shows it.")],
    /,
    *,
    reason: Why,
    authority: AskedBy = "site",
    yes: Yes = False,
    api: Api = HERE,
    token_file: TokenFile = None,
    json: Json = False,
) -> None:
    """End an order: cooling first, then wave by wave as ramp and inrush allow."""
    body = {"kind": "restore", "ends": order, "reason": reason, "authority": authority}
    _order(body, api, token_file, yes=yes, json=json)


def hold(
    *,
    reason: Why,
    lasting: Annotated[str | None, Parameter(name="--for", help="How long; until restored if left out.")] = None,
    yes: Yes = False,
    api: Api = HERE,
    token_file: TokenFile = None,
    json: Json = False,
) -> None:
    """Change nothing for money's sake."""
    body = {"kind": "hold", "reason": reason, "for_s": None if lasting is None else seconds(lasting)}
    _order(body, api, token_file, yes=yes, json=json)


def lock(
    asset: Annotated[str, Parameter(help="Asset, or feeder with everything on it.")],
    /,
    *,
    reason: Why,
    api: Api = HERE,
    token_file: TokenFile = None,
    json: Json = False,
) -> None:
    """Lock out: no command reaches it until you release it."""
    from headrace.app.operator_client import OperatorClient
    from headrace.app.operator_verbs import run_lock

    run_lock(OperatorClient(api, token_file), asset, reason=reason, as_json=json)


def release(
    asset: Annotated[str, Parameter(help="What you locked out.")],
    /,
    *,
    api: Api = HERE,
    token_file: TokenFile = None,
    json: Json = False,
) -> None:
    """Release your lock."""
    from headrace.app.operator_client import OperatorClient
    from headrace.app.operator_verbs import run_release

    run_release(OperatorClient(api, token_file), asset, as_json=json)


@access.command(name="add")
def access_add(
    name: Annotated[str, Parameter(help="Who.")],
    /,
    *,
    role: Annotated[str, Parameter(help="viewer, operator or admin.")] = "viewer",
    file: Annotated[Path, Parameter(help="Access file that the device file names.")] = Path("access.txt"),
    json: Json = False,
) -> None:
    """Make a token for somebody: printed once, kept as a hash."""
    from headrace.app.operator_verbs import run_access_add

    run_access_add(name, role=role, file=file, as_json=json)


def _order(body: dict[str, Any], api: str, token_file: Path | None, *, yes: bool, json: bool) -> None:
    from headrace.app.operator_client import OperatorClient
    from headrace.app.operator_verbs import run_order

    run_order(OperatorClient(api, token_file), body, yes=yes, as_json=json)
