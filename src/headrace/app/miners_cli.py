"""`headrace miners`: what can be done with miners before a site knows them."""

from typing import Annotated

from cyclopts import App, Parameter

__all__ = ["miners"]

miners = App(name="miners", help="Find miners in a network.")


@miners.command
def scan(
    network: Annotated[str, Parameter(help="Network in CIDR notation (10.1.0.0/16).")],
    /,
    *,
    ports: Annotated[str, Parameter(help="Ports to knock at, separated by commas.")] = "80,4028,4029,4433,8889",
    timeout_s: Annotated[float, Parameter(help="Silence after which an address counts as empty, seconds.")] = 1.0,
    sockets: Annotated[int, Parameter(help="Addresses knocked at a time.")] = 1_000,
    yes: Annotated[bool, Parameter(negative="", help="Scan a network that is not private.")] = False,
    json: Annotated[bool, Parameter(name="--json", negative="", help="Print JSON instead of tables.")] = False,
) -> None:
    """List the miners of a network with their dialect, and what else listens on their ports; changes nothing."""
    from headrace.app.miners_verbs import print_scan, scan_network
    from headrace.app.printing import show

    figures = scan_network(network, ports=ports, timeout_s=timeout_s, sockets=sockets, is_confirmed=yes)
    show(figures, print_scan, as_json=json)
