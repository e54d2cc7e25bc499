"""`headrace miners scan`: read-only, and only on networks of one's own unless confirmed."""

import resource
import time
from ipaddress import IPv4Network
from typing import Any, ClassVar

import msgspec
from rich.console import Console
from rich.table import Table

from headrace.adapters.miners.discovery import ScanLimits, discover
from headrace.app.bench.loop import on_fast_loop
from headrace.core import BadInput, ExitCode, HeadraceError
from headrace.engine.clock import WallClock

__all__ = ["NotPrivate", "print_scan", "scan_network"]

SPARE_DESCRIPTORS = 100


class NotPrivate(HeadraceError):
    """A network that may be somebody else's."""

    exit_code: ClassVar[ExitCode] = ExitCode.REFUSED


def scan_network(network: str, *, ports: str, timeout_s: float, sockets: int, is_confirmed: bool) -> dict[str, Any]:
    """Scan one network.

    Raises
    ------
    BadInput
        If the network cannot be read or is too large, or a number makes no sense.
    NotPrivate
        If the network is not private and not confirmed.
    """
    limits = ScanLimits(connect_s=_positive("--timeout-s", timeout_s), sockets=_sockets(sockets))
    where = _network(network, limits, is_confirmed=is_confirmed)
    begun_s = time.perf_counter()
    found = on_fast_loop(
        discover([where], now_us=WallClock().now_us, monotonic=time.perf_counter, ports=_ports(ports), limits=limits)
    )
    figures: dict[str, Any] = msgspec.to_builtins(found)
    return {"network": str(where), **figures, "seconds": time.perf_counter() - begun_s}


def _network(text: str, limits: ScanLimits, *, is_confirmed: bool) -> IPv4Network:
    try:
        network = IPv4Network(text)
    except ValueError as error:
        raise BadInput(text, str(error), 'Write a network like "10.1.0.0/16".') from error
    if not (network.is_private or is_confirmed):
        raise NotPrivate(f"{text} is not a private network. Say --yes if it is yours to scan.")
    if network.num_addresses > limits.addresses_max:
        found = f"{network.num_addresses:,} addresses, at most {limits.addresses_max:,} in one scan"
        raise BadInput(text, found, "Scan parts of it.")
    return network


def _ports(text: str) -> tuple[int, ...]:
    ports = tuple(int(part) if part.strip().isdecimal() else 0 for part in text.split(","))
    if not all(0 < port < 65_536 for port in ports):
        raise BadInput("--ports", f"{text!r}", 'Write numbers separated by commas, like "80,4028".')
    return tuple(dict.fromkeys(ports))


def _positive(name: str, value_s: float) -> float:
    if not 0.0 < value_s <= 60.0:
        raise BadInput(name, f"{value_s}", "Give more than 0 and at most 60 seconds.")
    return value_s


def _sockets(wanted: int) -> int:
    """As many as wanted, as far as the process may have them."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if wanted < 1:
        raise BadInput("--sockets", f"{wanted}", "Give at least 1.")
    return max(1, min(wanted, hard - SPARE_DESCRIPTORS))


def print_scan(figures: dict[str, Any], console: Console) -> None:
    """Print what was found as tables."""
    table = Table(title=f"{len(figures['found'])} miners among {figures['addresses']:,} addresses")
    for column in ("address", "dialect", "model", "firmware", "hashes"):
        table.add_column(column)
    for each in figures["found"]:
        status = each["status"]
        hashes = {True: "yes", False: "no", None: "not said"}[status["is_mining"]]
        table.add_row(f"{each['host']}:{each['port']}", each["dialect"], status["model"], status["firmware"], hashes)
    console.print(table)
    for each in figures["odd"]:
        console.print(f"{each['host']} listens on {', '.join(map(str, each['ports']))}: {each['reason']}", markup=False)
    console.print(f"{figures['seconds']:.1f} s")
