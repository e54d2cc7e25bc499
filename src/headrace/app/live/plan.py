"""What a live run is, from its files: rules, series, journal header, and who plans."""

import platform
import shutil
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Final

import msgspec

from headrace.adapters.devicefile.load import LoadedDevices, load_devices
from headrace.adapters.feeds.recorded import RecordedFeed
from headrace.adapters.sitefile import LoadedSite, load_site
from headrace.app.inputs import read_inputs
from headrace.app.reserves import selling
from headrace.control.authority import LadderRules
from headrace.control.layout import Layout, layout_of
from headrace.core import BadInput, Interval, content_id, iso
from headrace.dispatch.policies import AlwaysOn, Desk, Policy, Rolling, Stochastic
from headrace.dispatch.uses import SiteModel, model_of
from headrace.energy import Series
from headrace.engine.atomic import replacing_file
from headrace.engine.journal import JournalHeader
from headrace.engine.live.meters import unmetered
from headrace.engine.live.rules import LiveRules
from headrace.engine.live.state import LiveState
from headrace.loads import Firmness

__all__ = ["LIVE_POLICIES", "LOOK_BACK_S", "LivePlan", "keep_copies", "live_header", "live_plan", "recorded_series"]

LIVE_POLICIES: Final = ("rolling", "desk", "always-on", "stochastic")
"""Policies that can run a live site."""

LOOK_BACK_S: Final = 15 * 86_400
"""History that an empty book is told at once, seconds: what forecasts read."""

FSYNC_EVERY: Final = {"always": 1, "batch": 64, "never": 1_000_000}
"""Records between writes to disk, by the device file's policy."""


class LivePlan(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Everything that a live run rests on and that no clock moves."""

    loaded: LoadedSite
    """The site file."""
    devices: LoadedDevices
    """The device file."""
    model: SiteModel
    """The site's blocks."""
    layout: Layout
    """Its assets."""
    rules: LiveRules
    """Its limits."""
    policy: str
    """Name of the rule that plans."""

    def state(self) -> LiveState:
        """A state that nothing has happened in yet."""
        return LiveState(self.model, self.layout, self.rules)

    def planner(self) -> Policy:
        """A fresh policy."""
        kinds: dict[str, Callable[[], Policy]] = {
            "rolling": Rolling,
            "desk": Desk,
            "always-on": AlwaysOn,
            "stochastic": Stochastic,
        }
        return selling(kinds[self.policy](), self.model.site)


def live_plan(site: Path, devices: Path, *, policy: str = "rolling", poll_s: float | None = None) -> LivePlan:
    """Read a site and its devices.

    Raises
    ------
    headrace.core.BadInput
        If a file can't be used, or the site has parts that a live engine does not run yet.
    """
    if policy not in LIVE_POLICIES:
        raise BadInput(f"--policy {policy!r}", "unknown", f"Choose from: {', '.join(LIVE_POLICIES)}")
    loaded = load_site(site)
    read = load_devices(devices, loaded)
    if missing := unmetered(loaded.site):
        raise BadInput(str(site), f"has {', '.join(missing)}, which no live counter serves yet", "Replay it instead")
    return LivePlan(
        loaded=loaded,
        devices=read,
        model=model_of(loaded.site),
        layout=layout_of(read.inventory),
        rules=_rules(loaded, read, poll_s),
        policy=policy,
    )


def live_header(plan: LivePlan, *, is_shadow: bool, at_s: int) -> JournalHeader:
    """What a run is; one that goes on with a journal keeps the beginning of its period."""
    packages = ("headrace", "highspy", "msgspec", "numba", "numpy", "polars")
    return JournalHeader(
        kind="shadow" if is_shadow else "live",
        site=plan.loaded.site.name,
        policy=plan.policy,
        period=f"{iso(at_s)}/",
        config_digest=content_id(plan.loaded.digest.encode(), plan.devices.digest.encode()),
        input_digest="",
        versions={"python": platform.python_version()} | {name: version(name) for name in packages},
    )


def keep_copies(plan: LivePlan, journal: Path) -> None:
    """Put the site file and the device file beside the journal: `reproduce` needs no other."""
    journal.parent.mkdir(parents=True, exist_ok=True)
    for source, name in ((plan.loaded.path, "site"), (plan.devices.path, "devices")):
        target = journal.with_suffix(f".{name}.toml")
        if source.resolve() != target.resolve() and _differs(source, target):
            with replacing_file(target) as working:
                shutil.copyfile(source, working)


def _differs(source: Path, copy: Path) -> bool:
    """Is a file's copy not there, or another's? One that is there needs no space on a full disk."""
    return not copy.exists() or source.read_bytes() != copy.read_bytes()


def recorded_series(plan: LivePlan, data: Path | None, window: Interval) -> dict[str, Series]:
    """Recorded series by role, to stand in for live feeds."""
    feed = RecordedFeed(data, plan.loaded.feeds, plan.loaded.site.time_zone)
    inputs = read_inputs(feed, plan.loaded.site, set(plan.loaded.feeds), window)
    grouped = {"profiles", "further"}
    named = {role: getattr(inputs, role) for role in inputs.__struct_fields__ if role not in grouped}
    return {role: series for role, series in named.items() if series is not None} | inputs.profiles | inputs.further


def _rules(loaded: LoadedSite, devices: LoadedDevices, poll_s: float | None) -> LiveRules:
    limits, battery = devices.file.limits, loaded.site.battery
    firm = tuple(each.name for each in loaded.site.leases if each.firmness is Firmness.FIRM)
    ladder = LadderRules(firm=firm)
    if battery is not None:
        ladder = msgspec.structs.replace(ladder, soc_min_ratio=battery.stored_min_mwh / battery.stored_max_mwh)
    rules = LiveRules(
        meter_age_max_s=limits.meter_age_max_s,
        stale_after_s={role: round(age_min * 60.0) for role, age_min in limits.feed_age_max_min.items()},
        fsync_every=FSYNC_EVERY[devices.file.journal.fsync],
        ladder=ladder,
        headroom_ratio=limits.headroom_ratio,
    )
    if poll_s is None:
        return rules
    return msgspec.structs.replace(
        rules,
        poll_s=poll_s,
        asset_poll_s=max(rules.asset_poll_s, poll_s),
        meter_age_max_s=max(rules.meter_age_max_s, 2.0 * poll_s),
    )
