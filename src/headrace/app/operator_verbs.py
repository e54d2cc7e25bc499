"""What `status`, `shed`, `restore`, `hold`, `lock`, `release` and `access` do."""

import hashlib
import os
import sys
import time
from pathlib import Path
from typing import Any

from headrace.app.operator_client import OperatorClient, Refused
from headrace.app.printing import console, print_json
from headrace.core import BadInput
from headrace.engine.atomic import replacing_file

__all__ = ["run_access_add", "run_lock", "run_order", "run_release", "run_status"]


def run_status(client: OperatorClient, *, as_json: bool) -> None:
    """Say where the site stands."""
    status = client.get("/v1/status")
    if as_json:
        print_json(status)
        return
    _print_record(status)


def run_order(client: OperatorClient, body: dict[str, Any], *, yes: bool, as_json: bool) -> None:
    """Ask for an order: shown first, done when it is said again, unless `yes`.

    Raises
    ------
    Refused
        If the site refuses it, or nobody confirmed it.
    """
    body = {"id": _id_of(body)} | body
    if yes:
        answer = client.send("POST", "/v1/orders", body | {"is_certain": True})
    else:
        armed = client.send("POST", "/v1/orders", body).body
        _print_preview(body, armed["preview"], armed["good_for_s"])
        answer = client.send("POST", "/v1/orders", body | {"word": _said_again(armed["word"])})
    if as_json:
        print_json(answer.body)
    else:
        _print_record(answer.body)


def run_lock(client: OperatorClient, asset: str, *, reason: str, as_json: bool) -> None:
    """Lock an asset or a feeder out: nothing reaches it until its holder releases it."""
    answer = client.send("POST", "/v1/locks", {"asset": asset, "reason": reason})
    _tell(answer.body, as_json=as_json)


def run_release(client: OperatorClient, asset: str, *, as_json: bool) -> None:
    """Release a lock that one holds."""
    from urllib.parse import quote

    try:
        name = quote(asset, safe="")
    except UnicodeEncodeError as error:
        raise BadInput(f"asset {asset!r}", "not UTF-8 text", "Name it as `headrace status` shows it") from error
    _tell(client.send("DELETE", f"/v1/locks/{name}").body, as_json=as_json)


def run_access_add(name: str, *, role: str, file: Path, as_json: bool) -> None:
    """Make a token for somebody, print it once, and keep its hash in the access file."""
    from headrace.interfaces.operator.access import Access, Rank, new_token

    if role.upper() not in Rank.__members__:
        raise BadInput(f"--role {role!r}", "no such role", "viewer, operator or admin")
    token, line = new_token(name, Rank[role.upper()])
    file = file.resolve()
    try:
        text = file.read_text(encoding="utf-8") if file.exists() else ""
    except UnicodeDecodeError as error:
        raise BadInput(str(file), f"is not UTF-8 text (byte {error.start})", "Name an access file") from error
    text = text + ("" if not text or text.endswith("\n") else "\n") + line + "\n"
    Access.read(text, str(file))
    with replacing_file(file) as working:
        working.touch(mode=0o600)
        working.write_text(text, encoding="utf-8")
    if as_json:
        print_json({"name": name, "role": role, "token": token, "file": str(file)})
        return
    page = console()
    page.print(f"Token of {name} ({role}), shown once:", highlight=False, markup=False)
    page.print(f"  {token}", highlight=False, markup=False, soft_wrap=True)


def _id_of(body: dict[str, Any]) -> str:
    """An id for this call: what is asked, by this process, at this moment."""
    seed = f"{sorted(body.items())} {os.getpid()} {time.time_ns()}"
    return hashlib.sha256(seed.encode()).hexdigest()[:16]


def _said_again(word: str) -> str:
    """The word as a person typed it back.

    Raises
    ------
    Refused
        If there is nobody to ask, or he typed another.
    """
    if not sys.stdin.isatty():
        raise Refused("nobody is there to confirm it: nothing was done. Say --yes to do it at once")
    sys.stderr.write(f"ARMED. Type {word} to FIRE, anything else to leave it: ")
    sys.stderr.flush()
    if sys.stdin.readline().strip() != word:
        raise Refused("not confirmed: nothing was done")
    return word


def _print_preview(body: dict[str, Any], preview: dict[str, Any], good_for_s: float) -> None:
    page = console()
    where = body.get("feeder") or "the site"
    page.print(f"{body['kind']} {body.get('mw', 0.0):g} MW of {where}: {body['reason']}", highlight=False, markup=False)
    for load, mw in sorted(preview["mw_of_load"].items()):
        page.print(f"  {load}: {mw:.3f} MW", highlight=False, markup=False)
    told = f"  in all {preview['expected_mw']:.3f} MW by {preview['assets']} assets"
    page.print(told + (f", {preview['short_mw']:.3f} MW short" if preview["short_mw"] else ""), highlight=False)
    for reason in preview["reasons"]:
        page.print(f"  {reason}", highlight=False, markup=False)
    page.print(f"  good for {good_for_s:.0f} s", highlight=False, markup=False)


def _tell(body: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(body)
    else:
        _print_record(body)


def _print_record(record: Any, indent: int = 0) -> None:  # noqa: ANN401  whatever JSON the site says
    page = console()
    for key, value in record.items():
        name = " " * indent + str(key).replace("_", " ")
        if isinstance(value, dict) and value:
            page.print(f"{name}:", highlight=False, markup=False)
            _print_record(value, indent + 2)
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            page.print(f"{name}:", highlight=False, markup=False)
            for each in value:
                page.print(" " * (indent + 2) + "-", highlight=False, markup=False)
                _print_record(each, indent + 4)
        else:
            shown = ", ".join(map(str, value)) if isinstance(value, list) else value
            page.print(f"{name}: {shown if shown not in ('', None) else '-'}", highlight=False, markup=False)
