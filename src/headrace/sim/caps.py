"""Simulated accelerators with power limits and clocks, in memory and behind a Redfish controller on loopback."""

import base64
import hmac
import json
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from headrace.control.caps import CapOutcome, CapState

__all__ = ["Accelerator", "RedfishServer", "SimulatedCaps"]

BODY_MAX_BYTES: Final = 65_536
SYSTEM: Final = "/redfish/v1/Systems/HGX_Baseboard_0/Processors"


class Accelerator:
    """One accelerator: draws what its work wants, up to its limit.

    Parameters
    ----------
    least_w, most_w
        Limits that it takes, W.
    wants_w
        What its work would draw without a limit, W.
    clock_most_mhz
        Highest clock, MHz.
    """

    def __init__(
        self, *, least_w: int = 200, most_w: int = 700, wants_w: int = 650, clock_most_mhz: int = 1980
    ) -> None:
        self.least_w = least_w
        self.most_w = most_w
        self.wants_w = wants_w
        self.clock_most_mhz = clock_most_mhz
        self.limit_w = most_w
        self.clock_mhz: int | None = None
        self.revision = 0

    @property
    def power_w(self) -> int:
        """What it draws, W: a lower clock takes power off in proportion to its cube above a third (an assumption)."""
        clock_ratio = 1.0 if self.clock_mhz is None else self.clock_mhz / self.clock_most_mhz
        return min(self.limit_w, round(self.wants_w * (1.0 + 2.0 * clock_ratio**3) / 3.0))

    def limit(self, limit_w: int | None) -> str:
        """Set the limit; why not, if it does not take it."""
        wanted_w = self.most_w if limit_w is None else limit_w
        if not self.least_w <= wanted_w <= self.most_w:
            return f"takes {self.least_w} to {self.most_w} W, asked for {wanted_w} W"
        self.limit_w = wanted_w
        self.revision += 1
        return ""

    def lock(self, clock_mhz: int | None) -> str:
        """Hold the clock; why not, if it can't."""
        if clock_mhz is not None and not 0 < clock_mhz <= self.clock_most_mhz:
            return f"takes up to {self.clock_most_mhz} MHz, asked for {clock_mhz} MHz"
        self.clock_mhz = None if clock_mhz == self.clock_most_mhz else clock_mhz
        self.revision += 1
        return ""


class SimulatedCaps:
    """Accelerators in memory, by name."""

    name = "simulated"

    def __init__(self, accelerators: dict[str, Accelerator], *, now_us: Callable[[], int]) -> None:
        self._accelerators = accelerators
        self._now_us = now_us

    async def states(self) -> tuple[CapState, ...]:
        """Every accelerator's limits and power."""
        return tuple(
            CapState(
                unit=name,
                at_us=self._now_us(),
                limit_w=each.limit_w,
                least_w=each.least_w,
                most_w=each.most_w,
                power_w=each.power_w,
                clock_max_mhz=each.clock_mhz,
            )
            for name, each in self._accelerators.items()
        )

    async def limit_power(self, limits_w: Mapping[str, int | None]) -> tuple[CapOutcome, ...]:
        """Limit accelerators to so many W, None to their default."""
        return tuple(self._outcome(unit, Accelerator.limit, value) for unit, value in limits_w.items())

    async def lock_clock(self, clocks_mhz: Mapping[str, int | None]) -> tuple[CapOutcome, ...]:
        """Hold accelerators to at most so many MHz, None sets them free."""
        return tuple(self._outcome(unit, Accelerator.lock, value) for unit, value in clocks_mhz.items())

    async def close(self) -> None:
        """Nothing to let go of."""

    def _outcome(self, unit: str, act: Callable[[Accelerator, int | None], str], value: int | None) -> CapOutcome:
        each = self._accelerators.get(unit)
        reason = "no such accelerator" if each is None else act(each, value)
        return CapOutcome(unit=unit, is_in_force=reason == "", at_us=self._now_us(), reason=reason)


class RedfishServer:
    """A management controller on loopback, for accelerators GPU_SXM_1, GPU_SXM_2, ...

    Parameters
    ----------
    accelerators
        What it manages, in order.
    user, password
        The one account that it knows.
    """

    def __init__(self, accelerators: list[Accelerator], *, user: str, password: str) -> None:
        self.accelerators = {f"GPU_SXM_{number}": each for number, each in enumerate(accelerators, 1)}
        self.before_patch: Callable[[Accelerator], None] = lambda _each: None
        """What somebody else does between a client's read and its PATCH."""
        self.garble = b""
        """If set, every reply's body."""
        self._authorization = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        self._lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 10.0

            def do_GET(self) -> None:
                outer.answer(self, None)

            def do_PATCH(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                if length > BODY_MAX_BYTES:
                    outer.reply(self, 413, _error("too long"))
                    return
                outer.answer(self, self.rfile.read(length))

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing on standard error."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def resource(self, unit: str) -> str:
        """Path of an accelerator."""
        return f"{SYSTEM}/{unit}"

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def close(self) -> None:
        """Stop serving."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._server.server_close()
            self._thread.join(5.0)

    def answer(self, request: BaseHTTPRequestHandler, body: bytes | None) -> None:
        """Read or change a resource."""
        if not hmac.compare_digest(request.headers.get("Authorization") or "", self._authorization):
            self.reply(request, 401, _error("who are you?"))
            return
        unit, _, tail = request.path.removeprefix(f"{SYSTEM}/").partition("/")
        each = self.accelerators.get(unit)
        if each is None or tail not in ("", "EnvironmentMetrics"):
            self.reply(request, 404, _error("no such resource"))
            return
        with self._lock:
            if body is not None:
                self.before_patch(each)
                if request.headers.get("If-Match") != _etag(each):
                    self.reply(request, 412, _error("changed since it was read"))
                    return
                why = _change(each, tail, body)
                if why:
                    self.reply(request, 400, _error(why))
                    return
            self.reply(request, 200, _metrics(each) if tail else _processor(each), _etag(each))

    def reply(self, request: BaseHTTPRequestHandler, status: int, body: dict[str, Any], etag: str = "") -> None:
        """Send one reply."""
        content = self.garble or json.dumps(body).encode()
        request.send_response(status)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(content)))
        if etag:
            request.send_header("ETag", etag)
        request.end_headers()
        request.wfile.write(content)


def _change(each: Accelerator, tail: str, body: bytes) -> str:
    try:
        asked = json.loads(body)
        if tail:
            return each.limit(int(asked["PowerLimitWatts"]["SetPoint"]))
        return each.lock(int(asked["OperatingSpeedRangeMHz"]["SettingMax"]))
    except (ValueError, KeyError, TypeError) as error:
        return f"malformed: {error}"


def _etag(each: Accelerator) -> str:
    return f'W/"{each.revision}"'


def _metrics(each: Accelerator) -> dict[str, Any]:
    return {
        "@odata.type": "#EnvironmentMetrics.v1_3_0.EnvironmentMetrics",
        "PowerLimitWatts": {
            "AllowableMax": each.most_w,
            "AllowableMin": each.least_w,
            "ControlMode": "Automatic",
            "DefaultSetPoint": each.most_w,
            "Reading": each.power_w + 0.388,
            "SetPoint": each.limit_w,
        },
    }


def _processor(each: Accelerator) -> dict[str, Any]:
    return {
        "@odata.type": "#Processor.v1_20_0.Processor",
        "ProcessorType": "GPU",
        "OperatingSpeedRangeMHz": {
            "AllowableMin": 210,
            "AllowableMax": each.clock_most_mhz,
            "SettingMax": each.clock_most_mhz if each.clock_mhz is None else each.clock_mhz,
        },
    }


def _error(message: str) -> dict[str, Any]:
    return {"error": {"code": "Base.1.15.GeneralError", "message": message}}
