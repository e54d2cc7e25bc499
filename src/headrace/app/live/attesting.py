"""Signed telemetry of a live site: every closed interval is handed to the gateway, what it signs is journalled.

The devices are the site's meters and loads, by the names of device and site file with everything but letters, digits,
dots and dashes turned into a dash: they can't sign for themselves, the gateway does it with a key of each.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Final

from headrace.adapters.devicefile.schema_doors import TelemetrySection
from headrace.adapters.keys.chain import KeyFolder
from headrace.adapters.telemetry.gateway import Gateway
from headrace.app.live.plan import LivePlan
from headrace.control.assets import Inventory
from headrace.control.readings import CounterReading
from headrace.core import BadInput
from headrace.engine.clock import Clock
from headrace.engine.live.engine import OnClosed
from headrace.engine.live.records import Closed
from headrace.settlement.identities import Role
from headrace.settlement.ports import DeviceAmount
from headrace.settlement.telemetry import IntervalRoot, WorkUnit

__all__ = ["amounts_of", "attesting", "device_names", "key_name", "signing"]

WORK: Final = {
    "work_ph": WorkUnit.PH,
    "lease_delivered_gpu_s": WorkUnit.GPU_S,
    "requests_served": WorkUnit.REQUESTS,
}
"""Counters of work, and what they count."""


def key_name(name: str) -> str:
    """A name as identities are enrolled under."""
    return re.sub(r"[^\w.-]", "-", name, flags=re.ASCII)


def amounts_of(inventory: Inventory, moved: Mapping[str, int]) -> tuple[DeviceAmount, ...]:
    """What each meter and load did in an interval.

    Parameters
    ----------
    inventory
        The site's assets and meters.
    moved
        What each counter moved, by the names of `headrace.control.readings.CounterReading`.
    """
    found = [
        DeviceAmount(
            device=key_name(inventory.site_meter),
            drawn_wh=max(0, moved.get("import_wh", 0)),
            fed_wh=max(0, moved.get("export_wh", 0)),
        )
    ]
    if inventory.battery_meter:
        drawn_wh, fed_wh = max(0, moved.get("charge_wh", 0)), max(0, moved.get("discharge_wh", 0))
        found.append(DeviceAmount(device=key_name(inventory.battery_meter), drawn_wh=drawn_wh, fed_wh=fed_wh))
    for name, amount in sorted(moved.items()):
        field, _, load = name.partition(".")
        if field in WORK:
            found.append(DeviceAmount(device=key_name(load), drawn_wh=0, unit=WORK[field], work=max(0, amount)))
        elif field == "generated_wh":
            found.append(DeviceAmount(device=key_name(load), drawn_wh=0, fed_wh=max(0, amount)))
    return tuple(found)


def device_names(inventory: Inventory, counters: tuple[str, ...]) -> tuple[str, ...]:
    """Identities that a site's intervals are signed under, given the names of its counters."""
    return tuple(amount.device for amount in amounts_of(inventory, dict.fromkeys(counters, 0)))


def signing(plan: LivePlan, out: Path, clock: Clock) -> OnClosed | None:
    """What signs a site's intervals; None if its device file names no gateway.

    Keys are looked for when an interval is closed: a site without them runs, with an alarm, until they are there.
    """
    section = plan.devices.file.telemetry
    if section is None:
        return None
    made: list[OnClosed] = []

    async def sign(closed: Closed, counters: tuple[CounterReading, ...]) -> IntervalRoot | None:
        if not made:
            made.append(
                attesting(
                    section,
                    folder=plan.devices.path.parent,
                    out=out,
                    inventory=plan.devices.inventory,
                    step_s=plan.model.site.control_step_s,
                    now_us=clock.now_us,
                )
            )
        return await made[0](closed, counters)

    return sign


def attesting(
    section: TelemetrySection, *, folder: Path, out: Path, inventory: Inventory, step_s: int, now_us: Callable[[], int]
) -> Callable[[Closed, tuple[CounterReading, ...]], Awaitable[IntervalRoot]]:
    """Make what is called with every closed interval.

    Parameters
    ----------
    section
        `[telemetry]` of the device file.
    folder
        Folder of the device file, which the keys' folder is relative to.
    out
        Folder of the run; bundles go into `telemetry` in it.
    inventory
        The site's assets and meters.
    step_s
        Length of a control interval, seconds.
    now_us
        The site's clock, epoch microseconds.

    Raises
    ------
    headrace.core.BadInput
        If there are no keys, or the gateway has none.
    """
    gateway = Gateway(KeyFolder(folder / section.keys), section.gateway, out / "telemetry")

    async def attest(closed: Closed, _: tuple[CounterReading, ...]) -> IntervalRoot:
        amounts = amounts_of(inventory, closed.moved)
        _check_enrolled(gateway.identities(), amounts, closed.cycle.at_s + step_s)
        return gateway.attest(closed.cycle.at_s, step_s, amounts, now_us=now_us())

    return attest


def _check_enrolled(keys: KeyFolder, amounts: tuple[DeviceAmount, ...], at_s: int) -> None:
    missing = [each.device for each in amounts if keys.registry.key_at(Role.DEVICE, each.device, at_s) is None]
    if missing:
        raise BadInput(
            str(keys.folder), f"no key counts for {', '.join(missing)}", f"headrace keys enrol {' '.join(missing)}"
        )
