"""An OpenADR 2.0b VTN: openleadr's own server on loopback, for one VEN."""

import contextlib
import io
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
from openleadr import OpenADRServer, objects, utils

__all__ = ["SignalPart", "Vtn2"]

VEN_ID: Final = "ven-1"


class SignalPart(msgspec.Struct, frozen=True, kw_only=True):
    """One interval of a signal."""

    duration_s: int
    """Length, seconds; 0 for one without an end."""
    payload: float
    """Level, or power in kW."""


class Vtn2:
    """A VTN that knows one VEN.

    Parameters
    ----------
    ven_name
        Name of the VEN it registers; any other is turned away.
    port
        Port on loopback.
    poll_s
        How often the VEN is asked to poll, seconds; openleadr knows whole ones.
    report_s
        How often the VEN is to report, seconds.
    """

    def __init__(self, ven_name: str, port: int, *, poll_s: int = 1, report_s: int = 1) -> None:
        self.url = f"http://127.0.0.1:{port}/OpenADR2/Simple/2.0b"
        self.opted: dict[str, list[str]] = {}
        self.delivered_kw: list[tuple[datetime, float]] = []
        self._ven_name = ven_name
        self._report_s = report_s
        self._server = OpenADRServer(
            vtn_id="vtn", http_host="127.0.0.1", http_port=port, requested_poll_freq=timedelta(seconds=poll_s)
        )
        self._server.add_handler("on_create_party_registration", self._register)
        self._server.add_handler("on_register_report", self._report)

    async def start(self) -> None:
        """Serve."""
        with contextlib.redirect_stdout(io.StringIO()):  # openleadr prints a banner
            await self._server.run()

    async def stop(self) -> None:
        """Serve no more."""
        await self._server.stop()

    def issue(
        self,
        event_id: str,
        context: str,
        starts_us: int,
        parts: Sequence[SignalPart],
        *,
        name: str = "LOAD_DISPATCH",
        kind: str = "setpoint",
    ) -> None:
        """Send an event to the VEN at its next poll.

        Parameters
        ----------
        event_id
            Its id.
        context
            Market context of its programme.
        starts_us
            Start of its first interval, epoch microseconds.
        parts
            Its intervals, one after the other.
        name
            Signal's name: SIMPLE, LOAD_DISPATCH ...
        kind
            Signal's type: level, setpoint, delta ...
        """
        self._server.add_event(
            VEN_ID,
            signal_name=name,
            signal_type=kind,
            intervals=_intervals(starts_us, parts),
            event_id=event_id,
            market_context=context,
            callback=self._opt,
        )

    def change(self, event_id: str, starts_us: int, parts: Sequence[SignalPart]) -> None:
        """Change an event: the next modification number, and what it asks now."""
        event = self._event(event_id)
        length = timedelta(seconds=sum(each.duration_s for each in parts))
        utils.setmember(event.event_signals[0], "intervals", _intervals(starts_us, parts))
        utils.setmember(event, "active_period.dtstart", _at(starts_us))
        utils.setmember(event, "active_period.duration", length)
        utils.increment_event_modification_number(event)
        self._again(event_id, event)

    def cancel(self, event_id: str) -> None:
        """Call an event off."""
        event = self._event(event_id)
        self._server.cancel_event(VEN_ID, event_id)
        self._again(event_id, event)

    def repeat(self) -> None:
        """Send every event again at the next poll, as it is."""
        self._server.events_updated[VEN_ID] = True

    def _event(self, event_id: str) -> Any:  # noqa: ANN401  openleadr's own object
        return utils.find_by(self._server.events[VEN_ID], "event_descriptor.event_id", event_id)

    def _again(self, event_id: str, event: object) -> None:
        self._server.event_callbacks[event_id] = (event, self._opt)
        self._server.events_updated[VEN_ID] = True

    def _opt(self, ven_id: str, event_id: str, opt_type: str) -> None:
        self.opted.setdefault(event_id, []).append(opt_type)

    def _register(self, registration: dict[str, Any]) -> tuple[str, str] | bool:
        return (VEN_ID, "registration-1") if registration["ven_name"] == self._ven_name else False

    def _report(  # openleadr looks at the names
        self,
        ven_id: str,
        resource_id: str,
        measurement: str,
        unit: str,
        scale: str,
        min_sampling_interval: timedelta,
        max_sampling_interval: timedelta,
    ) -> tuple[Any, timedelta]:
        return self.delivered_kw.extend, timedelta(seconds=self._report_s)


def _at(at_us: int) -> datetime:
    return datetime.fromtimestamp(at_us // 1_000_000, tz=UTC)


def _intervals(starts_us: int, parts: Sequence[SignalPart]) -> list[objects.Interval]:
    intervals, at = [], _at(starts_us)
    for part in parts:
        length = timedelta(seconds=part.duration_s)
        intervals.append(objects.Interval(dtstart=at, duration=length, signal_payload=part.payload))
        at += length
    return intervals
