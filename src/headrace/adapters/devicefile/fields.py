"""Field types of the device file: names with dots, hosts, ports, ranges of addresses, secrets by reference only."""

import re
from ipaddress import IPv4Address, IPv4Network
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, Strict

from headrace.adapters.sitefile.fields import PositiveMagnitude

__all__ = [
    "Addresses",
    "DeviceName",
    "Host",
    "Port",
    "Reference",
    "Register",
    "Seconds",
    "Template",
    "Unit",
    "Words",
    "addresses_of",
    "filled",
]

ADDRESSES_MAX: Final = 65_536
"""Most addresses of one range; a larger one is a mistake."""

_TEMPLATE_FIELD: Final = re.compile(r"\{(group|n)(?::0(\d))?\}")


def _reference(value: Any) -> str:  # noqa: ANN401  whatever the file holds
    if not (isinstance(value, str) and re.fullmatch(r"env:[A-Za-z_][A-Za-z0-9_]*|file:\S.*", value)):
        # The value is not repeated: whoever wrote a secret here must not find it in a log as well.
        raise ValueError('must name where the secret is kept ("env:NAME" or "file:PATH"), never hold it')
    return str(value)


def _template(value: str) -> str:
    if "{n" not in value or set("{}") & set(_TEMPLATE_FIELD.sub("", value)):
        raise ValueError(f'must hold {{n}} or {{n:04}}, and no other field but {{group}}, was "{value}"')
    return value


def _addresses(value: str) -> str:
    addresses_of(value)
    return value


def addresses_of(text: str) -> tuple[str, ...]:
    """Addresses of "10.1.1.1", "10.1.1.1-10.1.2.200" or "10.1.0.0/22", in order.

    Addresses that end in .0 and .255 are left out of ranges and networks, as sites leave them.

    Raises
    ------
    ValueError
        If it is none of these, or holds too many.
    """
    try:
        if "/" in text:
            network = IPv4Network(text)
            first, last = int(network.network_address), int(network.broadcast_address)
        else:
            low, _, high = text.partition("-")
            first = int(IPv4Address(low.strip()))
            last = int(IPv4Address(high.strip())) if high else first
    except ValueError as error:
        raise ValueError(f'must be an IPv4 address, a range "a-b" or a network "a/22", was "{text}"') from error
    if first == last:
        return (str(IPv4Address(first)),)
    if not 0 < last - first < ADDRESSES_MAX:
        raise ValueError(f'must rise, by fewer than {ADDRESSES_MAX} addresses, was "{text}"')
    return tuple(str(IPv4Address(each)) for each in range(first, last + 1) if each & 255 not in {0, 255})


def filled(template: str, *, group: str, n: int) -> str:
    """Asset's name from a group's template."""

    def field(match: re.Match[str]) -> str:
        text = group if match[1] == "group" else str(n)
        return text.zfill(int(match[2])) if match[2] else text

    return _TEMPLATE_FIELD.sub(field, template)


DeviceName = Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]*$")]
"""A device's name: letters, digits, spaces, dots, _ and -, a letter or digit first."""
Template = Annotated[str, Field(min_length=1, max_length=60), AfterValidator(_template)]
"""Names of a group's assets, with {n} for the number."""
Host = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]*$")]
"""An address or host name."""
Port = Annotated[int, Strict(), Field(gt=0, lt=65_536)]
"""A TCP port."""
Unit = Annotated[int, Strict(), Field(ge=0, le=255)]
"""A Modbus unit (formerly slave) id."""
Register = Annotated[int, Strict(), Field(ge=0, le=65_535)]
"""A Modbus address, counted from 0 as it goes over the wire."""
Seconds = PositiveMagnitude
"""A duration, seconds."""
Addresses = Annotated[str, AfterValidator(_addresses)]
"""One IPv4 address, a range or a network."""
Reference = Annotated[str, BeforeValidator(_reference)]
"""Where a secret is kept."""

Words = Literal["big", "little"]
"""Order of the words of a value of several registers; bytes inside a register are always big end first."""
