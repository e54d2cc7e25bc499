"""Finds miners in a network: who listens, and which dialect answers there.

First every address is knocked at, port by port, by a fixed number of sockets: dead addresses cost a time-out each, so
an address whose first port stays silent is not tried at the others, while one that refuses is alive and is. A socket
that was refused is used again. Then whoever listens is asked for its status in each dialect of that port, and the one
that names its firmware is it. No state is changed anywhere. Scanning mends an inventory; it does not replace one.
"""

import asyncio
import errno
import selectors
import socket
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from ipaddress import IPv4Network
from typing import Final

import msgspec

from headrace.adapters.miners.codec import Codec, Credentials, MinerStatus
from headrace.adapters.miners.dialects import DIALECTS, codec_for
from headrace.adapters.miners.firing import ask_status
from headrace.adapters.miners.miner import Miner
from headrace.adapters.miners.steps import Steps, run_all
from headrace.adapters.miners.wire import Wire, WireLimits, words_of

__all__ = ["PORTS", "Discovery", "Found", "Odd", "ScanLimits", "discover"]

PORTS: Final = (80, 4028, 4029, 4433, 8889)
"""Ports that miners' firmware listens on, in the order of trying."""


POLL_S: Final = 0.02
"""How often silence is looked at."""

_CODECS: Final[Mapping[int, tuple[Codec, ...]]] = {
    port: tuple(codec for codec in map(codec_for, DIALECTS) if codec.port == port) for port in PORTS
}
"""Dialects by the port that their firmware listens on."""


class ScanLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What a scan allows itself."""

    sockets: int = 1_000
    """Addresses knocked at a time."""
    connect_s: float = 1.0
    """Silence after which an address counts as empty, seconds."""
    asked_max: int = 500
    """Listeners asked who they are at a time."""
    answer_s: float = 5.0
    """Longest wait for such an answer, seconds."""
    within_s: float = 900.0
    """Longest scan, seconds."""
    addresses_max: int = 1 << 20
    """Most addresses of one scan."""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A miner."""

    host: str
    """Its address."""
    port: int
    """Port that it answered on."""
    dialect: str
    """What it speaks."""
    status: MinerStatus
    """What it says of itself."""


class Odd(msgspec.Struct, frozen=True, kw_only=True):
    """Something listens that no dialect understands."""

    host: str
    """Its address."""
    ports: tuple[int, ...]
    """Where it listens."""
    reason: str
    """What it answered."""


class Discovery(msgspec.Struct, frozen=True, kw_only=True):
    """What a scan found."""

    addresses: int
    """Addresses knocked at."""
    found: tuple[Found, ...]
    """Miners, by address."""
    odd: tuple[Odd, ...]
    """Others that listen, by address."""


async def discover(
    networks: Sequence[IPv4Network],
    *,
    now_us: Callable[[], int],
    monotonic: Callable[[], float],
    ports: Sequence[int] = PORTS,
    credentials: Mapping[str, Credentials] | None = None,
    limits: ScanLimits | None = None,
) -> Discovery:
    """Find the miners of some networks.

    Parameters
    ----------
    networks
        Where to look; not more addresses than `ScanLimits.addresses_max`.
    now_us
        The site's time, epoch microseconds.
    monotonic
        Seconds that only rise.
    ports
        Ports to knock at, in this order.
    credentials
        By dialect: log-in for those that tell their status to nobody else.
    limits
        What the scan allows itself.
    """
    limits = limits or ScanLimits()
    hosts = (str(host) for network in networks for host in network.hosts())
    listeners = await asyncio.to_thread(_Knocking(hosts, tuple(ports), monotonic, limits).run)
    wire = Wire(
        now_us=now_us,
        monotonic=monotonic,
        limits=WireLimits(connect_s=limits.connect_s, answer_s=limits.answer_s),
    )
    log_ins = credentials or {}
    asked = [
        _identify(host, open_ports, log_ins, lambda: now_us() // 1_000_000)
        for host, open_ports in sorted(listeners.items(), key=lambda item: socket.inet_aton(item[0]))
    ]
    try:
        known = await run_all(wire, asked, at_once_max=limits.asked_max, within_s=limits.within_s)
    finally:
        wire.close()
    return Discovery(
        addresses=sum(_host_count(network) for network in networks),
        found=tuple(each for each in known if isinstance(each, Found)),
        odd=tuple(each for each in known if isinstance(each, Odd)),
    )


class _Door:
    """An address on whose ports somebody knocks."""

    __slots__ = ("due_s", "host", "place", "sock")

    def __init__(self, host: str, sock: socket.socket) -> None:
        self.host = host
        self.sock = sock
        self.place = 0
        self.due_s = 0.0


class _Knocking:
    """Keeps a fixed number of sockets busy until there are no addresses left."""

    def __init__(
        self, hosts: Iterator[str], ports: tuple[int, ...], monotonic: Callable[[], float], limits: ScanLimits
    ) -> None:
        self._hosts = hosts
        self._ports = ports
        self._monotonic = monotonic
        self._limits = limits
        self._selector = selectors.DefaultSelector()
        self._waiting: deque[tuple[float, _Door]] = deque()
        self._spare: list[socket.socket] = []
        self._open: dict[str, list[int]] = {}

    def run(self) -> dict[str, list[int]]:
        """Open ports of the addresses that have any."""
        until_s = self._monotonic() + self._limits.within_s
        hosts: Iterator[str] | None = self._hosts
        while hosts is not None or self._selector.get_map():
            while hosts is not None and len(self._selector.get_map()) < self._limits.sockets:
                host = next(hosts, None)
                if host is None or self._monotonic() > until_s:
                    hosts = None
                else:
                    self._try(_Door(host, self._socket()))
            for key, _ in self._selector.select(POLL_S) if self._selector.get_map() else ():
                door = key.data
                self._selector.unregister(door.sock)
                if self._heard(door, door.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)):
                    self._try(door)
            self._give_up_on_silent()
        self._selector.close()
        for sock in self._spare:
            sock.close()
        return self._open

    def _try(self, door: _Door) -> None:
        """Knock at port after port for as long as the answer comes at once."""
        while door.place < len(self._ports):
            address = (door.host, self._ports[door.place])
            code = door.sock.connect_ex(address)
            if code == errno.EINPROGRESS:
                code = door.sock.connect_ex(address)  # a refusal from nearby is here already
            if code in (errno.EALREADY, errno.EINPROGRESS):
                door.due_s = self._monotonic() + self._limits.connect_s
                self._waiting.append((door.due_s, door))
                self._selector.register(door.sock, selectors.EVENT_WRITE, door)
                return
            if not self._heard(door, code):
                return
        self._spare.append(door.sock)

    def _heard(self, door: _Door, code: int) -> bool:
        """Take note of what a port answered; is the next one worth a knock?"""
        door.due_s = 0.0
        if code == errno.ECONNREFUSED:
            door.place += 1
            return True
        door.sock.close()
        if code not in (0, errno.EISCONN):
            return False  # nobody is there
        self._open.setdefault(door.host, []).append(self._ports[door.place])
        door.place += 1
        door.sock = self._socket()
        return True

    def _give_up_on_silent(self) -> None:
        now_s = self._monotonic()
        while self._waiting and self._waiting[0][0] <= now_s:
            due_s, door = self._waiting.popleft()
            if door.due_s == due_s:
                self._selector.unregister(door.sock)
                door.sock.close()

    def _socket(self) -> socket.socket:
        if self._spare:
            return self._spare.pop()
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.setblocking(False)
        return sock


def _identify(
    host: str, ports: Sequence[int], log_ins: Mapping[str, Credentials], now_s: Callable[[], int]
) -> Steps[Found | Odd]:
    """Ask a listener for its status in each dialect of its ports."""
    reasons = []
    for port in ports:
        for codec in _CODECS.get(port, ()):
            miner = Miner(host, host, port, codec, log_ins.get(codec.dialect, Credentials()))
            how = (yield from ask_status(miner, now_s)).how
            if isinstance(how, MinerStatus) and how.firmware:
                return Found(host=host, port=port, dialect=codec.dialect, status=how)
            said = "a status without firmware" if isinstance(how, MinerStatus) else words_of(how)
            reasons.append(f"{port} as {codec.dialect}: {said}")
    return Odd(host=host, ports=tuple(ports), reason="; ".join(reasons) or "no dialect is known for these ports")


def _host_count(network: IPv4Network) -> int:
    return network.num_addresses - (2 if network.prefixlen < 31 else 0)
