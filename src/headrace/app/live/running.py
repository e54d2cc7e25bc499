"""Run a live site: real doors or simulated ones, the wall's clock or a faster one, until it is told to stop."""

import asyncio
import fcntl
import os
import signal
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, ExitStack, suppress
from pathlib import Path
from typing import cast

import msgspec

from headrace.adapters.devicefile.secrets import read_secret
from headrace.adapters.grid.trace import TracedMeters
from headrace.adapters.store.live_books import LiveBooks
from headrace.app.live.attesting import signing
from headrace.app.live.beside import Beside, Companions
from headrace.app.live.booking import Booking
from headrace.app.live.doors import Doors, real_doors, simulated_doors, twinned
from headrace.app.live.plan import LOOK_BACK_S, LivePlan, keep_copies, live_header, recorded_series
from headrace.app.live.warming import warm_up
from headrace.app.times import within_calendar
from headrace.control.orders import Order
from headrace.control.ports import Meters
from headrace.core import BadInput, Interval
from headrace.energy import Series
from headrace.engine.atomic import refused
from headrace.engine.clock import Clock, FastClock, SimulatedClock, WallClock
from headrace.engine.live.dispatched import Dispatched, TelemetryDoor
from headrace.engine.live.engine import Engine, OnClosed
from headrace.engine.live.feeds import FeedDoor, PolledFeeds, RecordedFeeds
from headrace.engine.live.journal import reopen
from headrace.engine.live.measured import MeasuredTemperature
from headrace.engine.live.records import LiveRecord
from headrace.engine.live.site import LiveSite
from headrace.engine.live.solver import InlineSolver, ThreadSolver
from headrace.engine.live.status import LiveStatus
from headrace.engine.spare import Spare

__all__ = ["Beside", "Run", "journal_path", "run_live"]


class Run(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """How a live site is run."""

    plan: LivePlan
    out: Path
    """Folder of its journal."""
    is_shadow: bool = False
    """Decide beside the real site: simulated devices, the real meters read and written down."""
    is_simulated: bool = False
    """Simulated devices in this process, and no real door at all."""
    start_s: float | None = None
    """Start of site time where the clock is not the wall's, epoch seconds."""
    speed_ratio: float | None = None
    """Site seconds per second of the wall; 0 jumps as soon as nobody waits; None is the wall itself."""
    anchor_s: float | None = None
    """Wall time at which site time is `start_s`, epoch seconds; None for now."""
    last_s: float | None = None
    """How long to run, seconds of site time; None until told to stop."""
    data: Path | None = None
    """Folder of recorded data that stands in for live feeds; None with neither, which asks operators."""
    seed: int = 0
    """Of the simulated world."""
    beside: tuple[Beside, ...] = ()
    """What runs beside the site."""
    on_closed: OnClosed | None = None
    """Called with every closed interval; None for the gateway that the device file names, if it names one."""
    has_api: bool = False
    """Serve the operator's API that the device file describes."""
    is_logged: bool = False
    """Write a log."""
    log: Path | None = None
    """File of the log; None for standard error."""


def journal_path(out: Path, *, is_shadow: bool) -> Path:
    """Where a run's journal lies."""
    return out / ("shadow.jsonl" if is_shadow else "live.jsonl")


def run_live(run: Run) -> LiveStatus:
    """Run a site to its end and say where it stands then.

    Raises
    ------
    headrace.core.BadInput
        If files, data or journal can't be used, packages are missing, or another engine runs on the same journal.
    """
    path = journal_path(run.out, is_shadow=run.is_shadow)
    with ExitStack() as stack:
        run.out.mkdir(parents=True, exist_ok=True)
        stack.callback(os.close, _sole_owner(path.with_suffix(".lock")))
        keep_copies(run.plan, path)
        try:
            return _runner(run)(_run(run, path))
        except ModuleNotFoundError as error:
            raise BadInput(
                f"package {error.name}",
                "is not installed",
                "pip install 'headrace[live]' brings what a live site needs",
            ) from error


def _runner(run: Run) -> Callable[..., LiveStatus]:
    """What turns the event loop: uvloop where real sockets are spoken to and it is installed."""
    if run.is_simulated:
        return asyncio.run
    try:
        import uvloop
    except ImportError:
        return asyncio.run
    return uvloop.run


async def _run(run: Run, path: Path) -> LiveStatus:
    plan = run.plan
    clock = _clock(run)
    header = live_header(plan, is_shadow=run.is_shadow, at_s=int(clock.now_s()))
    spare = Spare(path.with_suffix(".spare"), plan.devices.file.journal.reserve_mb * 1_000_000)
    spare.keep()
    journal, records = reopen(path, header, fsync_every=plan.rules.fsync_every, spare=spare)
    state = plan.state()
    for seq, record in enumerate(records, start=1):
        state.absorb(seq, record)
    doors = _doors(run, clock, tuple(held.order for held in state.orders.values()))
    engine = Engine(
        state=state,
        journal=journal,
        clock=clock,
        drivers=doors.drivers,
        meters=_traced(run, doors.meters, clock, spare),
        on_closed=run.on_closed or signing(plan, run.out, clock),
        observed=doors.observed,
        spare=spare,
    )
    if not isinstance(clock, SimulatedClock):
        warm_up(plan, int(clock.now_s()))
    policy = plan.planner()
    solver = InlineSolver(policy) if isinstance(clock, SimulatedClock) else ThreadSolver(policy, clock)
    feeds = _feeds(run, clock)
    if doors.outdoor is not None:
        feeds = MeasuredTemperature(feeds, doors.outdoor, step_s=plan.model.site.control_step_s)
    site = LiveSite(engine, solver=solver, feeds=feeds, signals=doors.signals, is_shadow=run.is_shadow)
    _stop_on_signals(site)
    until_s = None if run.last_s is None else clock.now_s() + run.last_s
    async with AsyncExitStack() as stack:
        stack.callback(spare.give)
        if run.is_logged:
            _log(run, stack, engine, doors, path)
        if isinstance(clock, SimulatedClock):
            turning = asyncio.ensure_future(clock.run())
            stack.callback(turning.cancel)
        booking = _booking(run, engine, records, spare)
        del records  # a year of them is large
        beside = [*_beside(run, clock, spare), *_markets(plan, engine, doors), ("books", _alone(booking.run, engine))]
        await stack.enter_async_context(Companions(site, engine, beside))
        await site.run(until_s)
    with suppress(BadInput):  # what could not be booked is booked at the next start
        await asyncio.to_thread(booking.book)
    if isinstance(solver, ThreadSolver):
        solver.close()
    return site.status()


def _traced(run: Run, meters: Meters, clock: Clock, spare: Spare) -> Meters:
    """Meters with a trace, which events are reported from; nobody reports of a simulated clock's week in minutes."""
    if isinstance(clock, SimulatedClock):
        return meters
    keep_days = run.plan.devices.file.journal.trace_keep_days
    return TracedMeters(meters, run.out / "trace", keep_days=keep_days, may_write=lambda: not spare.is_used)


def _beside(run: Run, clock: Clock, spare: Spare) -> list[tuple[str, Beside]]:
    """What runs beside the site; nobody asks an API while simulated time jumps."""
    found = [(f"companion.{number}", each) for number, each in enumerate(run.beside, start=1)]
    if run.has_api and not isinstance(clock, SimulatedClock):
        from headrace.app.live.serving import serving

        devices = run.plan.devices
        api = serving(
            devices.file.api, folder=devices.path.parent, out=run.out, now_us=clock.now_us, make_room=spare.give
        )
        found.append(("api", api))
    return found


def _booking(run: Run, engine: Engine, records: Iterable[LiveRecord], spare: Spare) -> Booking:
    """What books the journal's statements; a shadow's are nobody's money and have books of their own."""
    section, devices = run.plan.devices.file.books, run.plan.devices
    target: Path | str = run.out / ("shadow-books.sqlite" if run.is_shadow else "books.sqlite")
    if section.database is not None and not run.is_shadow:
        target = read_secret(section.database, folder=devices.path.parent, environ=os.environ).reveal()
    books = LiveBooks(target, run.plan.model.site.currency)
    booking = Booking(books, records, may_write=lambda: not spare.is_used)
    before = engine.on_noted

    def noted(record: LiveRecord) -> None:
        booking.noted(record)
        if before is not None:
            before(record)

    engine.on_noted = noted
    return booking


def _alone(run: Callable[[Engine], Awaitable[None]], engine: Engine) -> Beside:
    """Something that runs beside the site and asks only its engine."""

    async def beside(_: LiveSite) -> None:
        await run(engine)

    return beside


def _markets(plan: LivePlan, engine: Engine, doors: Doors) -> list[tuple[str, Beside]]:
    """What tells a market every few seconds where the site stands, if one reads it over DNP3."""
    section = plan.devices.file.dnp3
    door = next((each for each in doors.signals if hasattr(each, "telemetry")), None)
    if section is None or door is None:
        return []
    from headrace.adapters.grid.doors import registration_of

    own = None if section.registration is None else registration_of(section.registration)
    dispatched = Dispatched(engine, cast(TelemetryDoor, door), own, every_s=section.telemetry_s)

    async def tell(_: LiveSite) -> None:
        await dispatched.run()

    return [("market", tell)]


def _log(run: Run, stack: AsyncExitStack, engine: Engine, doors: Doors, journal: Path) -> None:
    """Keep a log as long as the site runs."""
    from headrace.app.live.logs import opened_log

    log = stack.enter_context(opened_log(run.log))
    log.began(
        site=run.plan.loaded.site.name,
        is_shadow=run.is_shadow,
        is_simulated=run.is_simulated,
        policy=run.plan.policy,
        journal=str(journal),
        records=engine.state.records,
        drivers=", ".join(doors.drivers),
        signals=len(doors.signals),
        is_signed=run.plan.devices.file.telemetry is not None,
    )
    log.watch(doors.signals)
    engine.on_noted = log.noted


def _clock(run: Run) -> Clock:
    return within_calendar(_unbounded(run))


def _unbounded(run: Run) -> Clock:
    if run.speed_ratio is None:
        return WallClock()
    if run.start_s is None:
        raise BadInput("--speed", "site time has no start", "Give --start, or leave --speed out")
    if run.speed_ratio == 0.0:
        if not run.is_simulated:
            raise BadInput("--speed 0", "real devices wait for no simulated clock", "Add --simulated, or give a speed")
        return SimulatedClock(run.start_s)
    anchor_s = time.time_ns() * 1e-9 if run.anchor_s is None else run.anchor_s
    return FastClock(start_s=run.start_s, speed_ratio=run.speed_ratio, anchor_wall_s=anchor_s)


def _window(run: Run, clock: Clock) -> Interval:
    """Period whose recorded data stand in: from now to the run's end, whole days."""
    step_s = 86_400
    now_s = int(clock.now_s())
    last_s = run.last_s if run.last_s is not None else 30.0 * step_s
    end_s = now_s + int(last_s)
    declared = run.plan.loaded.window
    end_s = min(end_s + step_s, int(declared.end_s)) if declared is not None and now_s < declared.end_s else end_s
    return Interval.from_epoch(now_s // 3600 * 3600, max(end_s, now_s // 3600 * 3600 + 3600))


def _feeds(run: Run, clock: Clock) -> FeedDoor:
    """Operators where the wall's clock runs and no recorded data stand in."""
    if isinstance(clock, WallClock) and not run.is_simulated and run.data is None:
        return _live_feeds(run)
    series = recorded_series(run.plan, run.data, _window(run, clock))
    return RecordedFeeds(series, dict.fromkeys(series, LOOK_BACK_S))


def _live_feeds(run: Run) -> FeedDoor:
    from headrace.adapters.feeds.live.feed import LiveFeed
    from headrace.adapters.feeds.live.sources import SOURCES
    from headrace.adapters.feeds.live.transport import HttpTransport
    from headrace.core import from_epoch_s

    plan = run.plan
    roles = {role: name for role, name in plan.loaded.feeds.items() if isinstance(name, str)}
    pauses_s = {host: pause_s for source in SOURCES.values() for host, pause_s in source.pauses_s.items()}
    transport = HttpTransport(pauses_s, os.environ)
    feed = LiveFeed(roles, transport, lambda: from_epoch_s(int(time.time_ns() // 1_000_000_000)))
    return PolledFeeds(feed, tuple(roles), look_back_s=LOOK_BACK_S)


def _doors(run: Run, clock: Clock, known: tuple[Order, ...]) -> Doors:
    if run.is_simulated:
        return simulated_doors(run.plan, clock, series=_surroundings(run, clock), seed=run.seed)
    doors = real_doors(run.plan, clock, known)
    if not run.is_shadow:
        return doors
    return twinned(simulated_doors(run.plan, clock, series=_surroundings(run, clock), seed=run.seed), doors)


def _surroundings(run: Run, clock: Clock) -> dict[str, Series]:
    """Series that the simulated world runs on; constants where no record covers its time."""
    try:
        return recorded_series(run.plan, run.data, _window(run, clock))
    except BadInput:
        return {}


def _sole_owner(path: Path) -> int:
    """Hold a lock file, so that two engines never write one journal."""
    try:
        held = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise refused(path, error) from error
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(held)
        raise BadInput(str(path), "another engine runs on this journal", "Stop it, or give another --out") from error
    return held


def _stop_on_signals(site: LiveSite) -> None:
    """SIGTERM and SIGINT ask the site to stop: what is under way is finished and written first."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        with suppress(NotImplementedError, RuntimeError, ValueError):
            loop.add_signal_handler(number, site.stop)
