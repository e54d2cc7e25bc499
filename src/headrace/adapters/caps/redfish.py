"""Power limits and clocks through Redfish: the management controller of a server, beside its operating system.

The limit is `PowerLimitWatts.SetPoint` of a unit's EnvironmentMetrics (DMTF; NVIDIA DGX B200 user guide, "Managing
Power Capping": /redfish/v1/Systems/HGX_Baseboard_0/Processors/GPU_SXM_1/EnvironmentMetrics), the clock
`OperatingSpeedRangeMHz` of its Processor. A PATCH carries the ETag of what was read, so that two who set it do not
overwrite each other unseen. Of several limits the accelerator obeys the lowest.
"""

import asyncio
import base64
import http.client
import json
import ssl
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from headrace.adapters.mqtt import is_this_machine, secret_of
from headrace.control.caps import CapOutcome, CapState
from headrace.core import BadInput

__all__ = ["RedfishCaps", "RedfishUnit"]

CALL_S: Final = 5.0
AT_ONCE: Final = 16
"""Controllers spoken to at a time."""
REPLY_MAX_BYTES: Final = 1_048_576
PRECONDITION_FAILED: Final = 412
TRIES: Final = 2
"""Tries of a PATCH whose ETag somebody else has overtaken."""


class RedfishUnit(msgspec.Struct, frozen=True, kw_only=True):
    """One accelerator or node behind a management controller."""

    name: str
    """Its name here."""
    controller: str
    """Address of the controller ("https://10.0.1.7"); plain http only to this machine."""
    resource: str
    """Path of its Processor or Chassis; EnvironmentMetrics is below it."""


class _Failed(Exception):
    """Why an exchange gave nothing."""


class RedfishCaps:
    """Units behind Redfish controllers.

    Parameters
    ----------
    units
        The units.
    user, password_file
        Account at the controllers and the file that holds its password.
    ca_file
        PEM file of the authority that signed the controllers' certificates; empty for the system's.
    now_us
        The site's clock, epoch microseconds.

    Raises
    ------
    BadInput
        If an address is not https, or http to this machine.
    """

    name = "redfish"

    def __init__(
        self,
        units: tuple[RedfishUnit, ...],
        *,
        user: str,
        password_file: str,
        now_us: Callable[[], int],
        ca_file: str = "",
        call_s: float = CALL_S,
    ) -> None:
        for unit in units:
            url = urlsplit(unit.controller)
            if url.scheme != "https" and not (url.scheme == "http" and is_this_machine(url.hostname or "")):
                raise BadInput(unit.name, f"{url.scheme or 'no'} address of another machine", "Use https.")
        self._units = {unit.name: unit for unit in units}
        self._authorization = "Basic " + base64.b64encode(f"{user}:{secret_of(password_file)}".encode()).decode()
        self._tls = ssl.create_default_context(cafile=ca_file or None)
        self._now_us = now_us
        self._call_s = call_s
        self._threads = ThreadPoolExecutor(max_workers=AT_ONCE, thread_name_prefix="redfish")

    async def states(self) -> tuple[CapState, ...]:
        """Every unit's limits and power."""
        return tuple(await asyncio.gather(*(self._in_thread(self._read, unit) for unit in self._units.values())))

    async def limit_power(self, limits_w: Mapping[str, int | None]) -> tuple[CapOutcome, ...]:
        """Limit units to so many W, None to their default."""
        return await self._each(limits_w, self._limit)

    async def lock_clock(self, clocks_mhz: Mapping[str, int | None]) -> tuple[CapOutcome, ...]:
        """Hold units to at most so many MHz, None to the highest they take."""
        return await self._each(clocks_mhz, self._lock)

    async def close(self) -> None:
        """End the threads once they are free."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _in_thread(self, work: Callable[..., Any], *values: object) -> Any:  # noqa: ANN401
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *values)

    async def _each(
        self, wanted: Mapping[str, int | None], act: Callable[[RedfishUnit, int | None], None]
    ) -> tuple[CapOutcome, ...]:
        return tuple(await asyncio.gather(*(self._in_thread(self._tried, act, *pair) for pair in wanted.items())))

    def _tried(self, act: Callable[[RedfishUnit, int | None], None], name: str, value: int | None) -> CapOutcome:
        unit = self._units.get(name)
        try:
            if unit is None:
                raise _Failed("no such unit")
            act(unit, value)
        except _Failed as failure:
            return CapOutcome(unit=name, is_in_force=False, at_us=self._now_us(), reason=str(failure))
        return CapOutcome(unit=name, is_in_force=True, at_us=self._now_us())

    def _read(self, unit: RedfishUnit) -> CapState:
        at_us = self._now_us()
        try:
            _, metrics = self._get(unit, f"{unit.resource}/EnvironmentMetrics")
            _, processor = self._get(unit, unit.resource)
        except _Failed as failure:
            return CapState(unit=unit.name, at_us=at_us, reason=str(failure))
        limit = _part(metrics, "PowerLimitWatts")
        clock = _part(processor, "OperatingSpeedRangeMHz")
        locked_mhz, most_mhz = _whole(clock, "SettingMax"), _whole(clock, "AllowableMax")
        drawn_w = _whole(_part(metrics, "PowerWatts"), "Reading")
        return CapState(
            unit=unit.name,
            at_us=at_us,
            limit_w=_whole(limit, "SetPoint"),
            least_w=_whole(limit, "AllowableMin"),
            most_w=_whole(limit, "AllowableMax"),
            power_w=_whole(limit, "Reading") if drawn_w is None else drawn_w,
            clock_max_mhz=None if locked_mhz == most_mhz else locked_mhz,
            reason="" if "SetPoint" in limit else "it has no PowerLimitWatts",
        )

    def _limit(self, unit: RedfishUnit, limit_w: int | None) -> None:
        def change(metrics: dict[str, Any]) -> dict[str, Any]:
            limit = _part(metrics, "PowerLimitWatts")
            least_w, most_w = _whole(limit, "AllowableMin"), _whole(limit, "AllowableMax")
            if "SetPoint" not in limit or most_w is None:
                raise _Failed("it has no PowerLimitWatts")
            wanted_w = (_whole(limit, "DefaultSetPoint") or most_w) if limit_w is None else limit_w
            if not (least_w or 0) <= wanted_w <= most_w:
                raise _Failed(f"takes {least_w} to {most_w} W, asked for {wanted_w} W")
            return {"PowerLimitWatts": {"SetPoint": wanted_w}}

        self._patch(unit, f"{unit.resource}/EnvironmentMetrics", change)

    def _lock(self, unit: RedfishUnit, clock_mhz: int | None) -> None:
        def change(processor: dict[str, Any]) -> dict[str, Any]:
            clock = _part(processor, "OperatingSpeedRangeMHz")
            least_mhz, most_mhz = _whole(clock, "AllowableMin"), _whole(clock, "AllowableMax")
            if most_mhz is None:
                raise _Failed("it has no OperatingSpeedRangeMHz")
            wanted_mhz = most_mhz if clock_mhz is None else clock_mhz
            if not (least_mhz or 0) <= wanted_mhz <= most_mhz:
                raise _Failed(f"takes {least_mhz} to {most_mhz} MHz, asked for {wanted_mhz} MHz")
            return {"OperatingSpeedRangeMHz": {"SettingMax": wanted_mhz}}

        self._patch(unit, unit.resource, change)

    def _patch(self, unit: RedfishUnit, path: str, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        """Read, change under its ETag, and read again whether it is in force."""
        for _ in range(TRIES):
            etag, before = self._get(unit, path)
            wanted = change(before)
            status, _, reply = self._call(unit, "PATCH", path, wanted, etag)
            if status != PRECONDITION_FAILED:
                break
        if status not in (200, 202, 204):
            raise _Failed(f"HTTP {status}: {_message(reply)}")
        _, after = self._get(unit, path)
        for part, values in wanted.items():
            for name, value in values.items():
                if _whole(_part(after, part), name) != value:
                    raise _Failed(f"{_part(after, part).get(name)!r:.40} in force after asking for {value}")

    def _get(self, unit: RedfishUnit, path: str) -> tuple[str, dict[str, Any]]:
        status, etag, reply = self._call(unit, "GET", path, None, "")
        if status != 200:
            raise _Failed(f"HTTP {status}: {_message(reply)}")
        return etag, reply

    def _call(
        self, unit: RedfishUnit, method: str, path: str, body: dict[str, Any] | None, etag: str
    ) -> tuple[int, str, dict[str, Any]]:
        url = urlsplit(unit.controller)
        connection: http.client.HTTPConnection
        if url.scheme == "https":
            connection = http.client.HTTPSConnection(
                url.hostname or "", url.port, timeout=self._call_s, context=self._tls
            )
        else:
            connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=self._call_s)
        headers = {"Authorization": self._authorization, "Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if etag:
            headers["If-Match"] = etag
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            reply = connection.getresponse()
            content = reply.read(REPLY_MAX_BYTES + 1)
            return reply.status, reply.headers.get("ETag", ""), _object(content)
        except (OSError, http.client.HTTPException) as error:
            raise _Failed(f"{type(error).__name__}: {error}"[:200]) from error
        finally:
            connection.close()


def _object(content: bytes) -> dict[str, Any]:
    if not content:
        return {}
    if len(content) > REPLY_MAX_BYTES:
        raise _Failed(f"a reply of more than {REPLY_MAX_BYTES} bytes")
    try:
        read = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise _Failed("the reply is no JSON") from error
    if not isinstance(read, dict):
        raise _Failed("the reply is no JSON object")
    return read


def _part(resource: dict[str, Any], name: str) -> dict[str, Any]:
    part = resource.get(name)
    return part if isinstance(part, dict) else {}


def _whole(part: dict[str, Any], name: str) -> int | None:
    value = part.get(name)
    return round(value) if isinstance(value, int | float) and abs(value) < 1e9 else None


def _message(reply: dict[str, Any]) -> str:
    error = _part(reply, "error")
    return str(error.get("message", "no message"))[:200]
