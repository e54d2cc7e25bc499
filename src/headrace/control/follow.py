"""Services that follow demand: what each may draw now, so that no limit is passed while mining makes room for it.

A replica draws what its requests ask, in less time than a meter needs to show it. So it is not watched but let: each
server has a cap, and all caps together with everything else stay below the connection and below each feeder.

    wanted  = asked + head-room, at most its full power            declared head-room, a share of full power
    room    = limit − (metered − what the services draw · PUE)
    let     = wanted, best service first, within the room and within each feeder

Power that was told to rise elsewhere and that no meter shows yet takes room from caps that would rise; it cuts none.
Head-room is what a service may take at once; it is bought with mining that is not run. What is missing beyond it,
`short_mw`, mining has to give first: caps rise as meters show that it did.
"""

from collections.abc import Mapping
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from headrace.control.command_book import CommandBook
from headrace.control.commands import Action, Command
from headrace.control.fleet import FleetState
from headrace.control.layout import Layout

__all__ = ["Letting", "let", "let_mw", "rising_mw", "unused_by_feeder", "wanted_mw"]

REASON: Final = "follow"
"""Reason of commands that move a service's caps."""
LIFE_S: Final = 5.0
"""How long a cap may still be carried out, seconds: by then there is a newer one."""
BAND_RATIO: Final = 0.005
"""A cap is moved by at least this share of its server's full power, unless to where it is wanted."""
SLACK_MW: Final = 1e-9
"""Power below this is rounding."""
AT_ITS_LET_RATIO: Final = 0.9
"""A service that says nothing of its queue and draws this share of what it may is taken to ask for all."""


class Letting(msgspec.Struct, frozen=True, kw_only=True):
    """What services may draw, and what is missing."""

    commands: tuple[Command, ...]
    """Caps that move."""
    let_mw: dict[str, float]
    """IT power each service may draw once they are carried out, MW."""
    rise_mw: float
    """By how much they rise together at the bus, MW."""
    short_mw: float
    """Power wanted at the bus that no room is left for, MW."""


def wanted_mw(
    *, asked_mw: float | None, drawn_mw: float, let_now_mw: float, full_mw: float, headroom_mw: float
) -> float:
    """Power that a service should be let, MW.

    Parameters
    ----------
    asked_mw
        What its queues ask for; None if they say nothing, then its draw speaks for them.
    drawn_mw, let_now_mw
        What it draws, and may draw.
    full_mw, headroom_mw
        Its full power, and the head-room declared.
    """
    if asked_mw is None:
        asked_mw = full_mw if drawn_mw >= AT_ITS_LET_RATIO * let_now_mw else drawn_mw
    return min(full_mw, asked_mw + headroom_mw)


def let(
    layout: Layout,
    fleet: FleetState,
    wanted_mw_of_load: Mapping[str, float],
    pue_of_load: Mapping[str, float],
    worth_ccy_per_mwh_of_load: Mapping[str, float],
    *,
    site_mw: float,
    most_mw: float,
    rising_mw: float,
    feeder_mw: NDArray[np.float64],
    record: str,
    now_us: int,
) -> Letting:
    """Say what each server of the services may draw.

    Parameters
    ----------
    layout, fleet
        The assets, and what is believed of them.
    wanted_mw_of_load
        IT power that each service should be let.
    pue_of_load
        Power at the bus for each of its IT power.
    worth_ccy_per_mwh_of_load
        Which service comes first.
    site_mw, most_mw
        Net import by the meter, and the most there may be.
    rising_mw
        Power elsewhere that was told to rise and that the meter may not show yet.
    feeder_mw
        Power that each feeder counts for, shape (F,).
    record, now_us
        Id of the record that this decision is, and now, epoch microseconds.
    """
    book = CommandBook(record, REASON, now_us=now_us, life_s=LIFE_S)
    room_mw = most_mw - site_mw
    feeder_room_mw = np.array([each.limit_mw for each in layout.inventory.feeders]) - feeder_mw
    own = {name: _servers(layout, fleet, name) for name in wanted_mw_of_load}
    for name, servers in own.items():
        room_mw += float(fleet.drawn_mw[servers].sum()) * pue_of_load[name]
        np.add.at(feeder_room_mw, layout.feeder_of[servers], fleet.drawn_mw[servers])
    granted, rise_mw, short_mw = {}, 0.0, 0.0
    for name in sorted(own, key=lambda name: -worth_ccy_per_mwh_of_load.get(name, 0.0)):
        servers, pue_ratio = own[name], pue_of_load[name]
        standby_mw = float(layout.standby_mw[servers].sum())
        now_mw = np.array([_let_one(layout, fleet, i) for i in servers.tolist()])
        kept_mw, grown_mw = min(float(now_mw.sum()), room_mw / pue_ratio), (room_mw - rising_mw) / pue_ratio
        given_mw = max(standby_mw, min(wanted_mw_of_load[name], max(kept_mw, grown_mw)))
        caps_mw = _shared(layout, servers, given_mw, feeder_room_mw)
        room_mw -= float(caps_mw.sum()) * pue_ratio
        np.add.at(feeder_room_mw, layout.feeder_of[servers], -caps_mw)
        _tell(book, layout, servers, now_mw, caps_mw, is_all=given_mw >= wanted_mw_of_load[name])
        rise_mw += float((caps_mw - now_mw).sum()) * pue_ratio
        short_mw += max(0.0, wanted_mw_of_load[name] - float(caps_mw.sum())) * pue_ratio
        granted[name] = float(caps_mw.sum())
    return Letting(commands=book.commands, let_mw=granted, rise_mw=rise_mw, short_mw=short_mw)


def let_mw(layout: Layout, fleet: FleetState, load: str) -> float:
    """IT power that a service's servers may draw as they were last told, MW."""
    return sum(_let_one(layout, fleet, i) for i in _servers(layout, fleet, load).tolist())


def unused_by_feeder(layout: Layout, fleet: FleetState, loads: tuple[str, ...]) -> NDArray[np.float64]:
    """Power that services may draw beyond what they do, shape (F,): room that nobody else may take."""
    unused_mw = np.zeros(len(layout.inventory.feeders))
    for load in loads:
        for i in _servers(layout, fleet, load).tolist():
            unused_mw[layout.feeder_of[i]] += max(0.0, _let_one(layout, fleet, i) - float(fleet.drawn_mw[i]))
    return unused_mw


def rising_mw(layout: Layout, fleet: FleetState, *, since_us: int, besides: tuple[str, ...]) -> float:
    """Power that was told to rise since a time, for other loads than these, and that meters may not show yet, MW."""
    others = {layout.load_names.index(name) for name in besides if name in layout.load_names}
    total_mw = 0.0
    for i, told in enumerate(fleet.told):
        if told is None or told.commanded_us < since_us or int(layout.load_of[i]) in others:
            continue
        if told.action is Action.RUN:
            total_mw += float(layout.full_mw[i] - layout.standby_mw[i])
        elif told.action in (Action.CAP, Action.CHARGE):
            total_mw += told.power_mw or 0.0
    return total_mw


def _servers(layout: Layout, fleet: FleetState, load: str) -> NDArray[np.int64]:
    """A service's servers that caps can be given to: what an order stopped stays as it is."""
    own = np.flatnonzero(layout.is_load & (layout.load_of == layout.load_names.index(load)))
    stopped = [told is not None and told.action is Action.STOP for told in (fleet.told[i] for i in own.tolist())]
    return np.asarray(own[fleet.is_trusted()[own] & ~np.array(stopped, np.bool_)], np.int64)


def _let_one(layout: Layout, fleet: FleetState, i: int) -> float:
    told = fleet.told[i]
    if told is None or told.action is not Action.CAP or told.power_mw is None:
        return float(layout.full_mw[i])
    return told.power_mw


def _shared(
    layout: Layout, servers: NDArray[np.int64], given_mw: float, feeder_room_mw: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The same share of its span for each server, less where a feeder leaves less."""
    standby_mw = layout.standby_mw[servers]
    span_mw = layout.full_mw[servers] - standby_mw
    feeder_of = layout.feeder_of[servers]
    count = len(feeder_room_mw)
    ratio = 0.0 if span_mw.sum() <= 0.0 else (given_mw - standby_mw.sum()) / span_mw.sum()
    spans_mw = np.bincount(feeder_of, span_mw, count)
    room_mw = feeder_room_mw - np.bincount(feeder_of, standby_mw, count)
    most_ratio = np.divide(room_mw, spans_mw, out=np.ones(count), where=spans_mw > 0.0)
    return np.asarray(standby_mw + np.clip(np.minimum(ratio, most_ratio[feeder_of]), 0.0, 1.0) * span_mw, np.float64)


def _tell(
    book: CommandBook,
    layout: Layout,
    servers: NDArray[np.int64],
    now_mw: NDArray[np.float64],
    caps_mw: NDArray[np.float64],
    *,
    is_all: bool,
) -> None:
    """Move caps by a band at least, or to where they are wanted."""
    for i, was_mw, cap_mw in zip(servers.tolist(), now_mw.tolist(), caps_mw.tolist(), strict=True):
        least_mw = SLACK_MW if is_all else BAND_RATIO * float(layout.full_mw[i])
        if abs(cap_mw - was_mw) > least_mw:
            book.tell(layout, i, Action.CAP, cap_mw)
