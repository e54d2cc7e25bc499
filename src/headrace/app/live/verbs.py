"""What `headrace live` does, once its arguments are read."""

from pathlib import Path
from typing import Final

import msgspec

from headrace.app.folders import data_folder
from headrace.app.live.plan import live_plan
from headrace.app.live.running import Run, journal_path, run_live
from headrace.app.outward import outward
from headrace.app.printing import console, print_json
from headrace.app.times import instant, length_s, not_negative
from headrace.core import BadInput, epoch_s, iso
from headrace.engine.live.status import LiveStatus

__all__ = ["run_live_verb"]

POLL_MIN_S: Final = 0.01
POLL_MAX_S: Final = 300.0


def run_live_verb(
    site: Path,
    *,
    devices: Path,
    out: Path,
    is_shadow: bool,
    is_simulated: bool,
    policy: str,
    lasting: str | None,
    speed: float | None,
    start: str | None,
    anchor_s: float | None,
    poll: str | None,
    data: Path | None,
    seed: int,
    has_api: bool,
    log: Path | None,
    as_json: bool,
) -> None:
    """Run a live site until it is told to stop, and print where it stands then."""
    poll_s = None if poll is None else length_s(poll)
    if poll_s is not None and not POLL_MIN_S <= poll_s <= POLL_MAX_S:
        raise BadInput(f"--poll {poll}", f"not within {POLL_MIN_S:g} s and {POLL_MAX_S:g} s", "Write 1s")
    plan = live_plan(site, devices, policy=policy, poll_s=poll_s)
    if speed is not None and not 0.0 <= speed <= 1e6:
        raise BadInput(f"--speed {speed:g}", "not between 0 and a million", "Give site seconds per second, or 0")
    start_s = None if start is None else float(epoch_s(instant(start, plan.loaded.site.time_zone)))
    if speed is not None and start_s is None and plan.loaded.window is not None:
        start_s = float(plan.loaded.window.start_s)
    run = Run(
        plan=plan,
        out=out,
        is_shadow=is_shadow,
        is_simulated=is_simulated,
        start_s=start_s,
        speed_ratio=speed,
        anchor_s=anchor_s,
        last_s=None if lasting is None else length_s(lasting),
        data=data_folder(data),
        seed=not_negative("--seed", seed),
        has_api=has_api,
        is_logged=True,
        log=log,
    )
    status = run_live(run)
    journal = journal_path(out, is_shadow=is_shadow)
    if as_json:
        told = outward(msgspec.to_builtins(status) | {"journal": str(journal)}, plan.loaded.site.currency)
        print_json(told)
    else:
        _print(status, journal)


def _print(status: LiveStatus, journal: Path) -> None:
    terminal = console()
    at = iso(status.at_us // 1_000_000)
    power = "n/a" if status.site_mw is None else f"{status.site_mw:.3f} MW"
    why = f" ({', '.join(status.reasons)})" if status.reasons else ""
    mode = status.mode or "nothing decided yet"
    terminal.print(f"{status.site} at {at}: {mode}{why}, net import {power}", highlight=False, markup=False)
    for load in status.loads:
        terminal.print(f"  {load.name}: {load.power_mw:.3f} MW, {load.running} of {load.assets} run", highlight=False)
    for alarm in status.alarms:
        terminal.print(f"  ALARM {alarm.code}: {alarm.text}", highlight=False, markup=False)
    terminal.print(f"Journal: {journal} ({status.records:,} records)", highlight=False, markup=False, soft_wrap=True)
