"""`headrace bench flex`: AI work as grid-interactive load, against what Emerald AI published.

Two events of theirs. Phoenix, May 2025 (arXiv 2507.00909): 256 GPUs, 25 % less accelerator power for 3 h; mix and tiers
as in the data published with it (ai-emerald/emerald-ai-demo-may-2025, data/SRP_exp_performance.csv, 34403aef), whose
weighted performance is 0.910. London, December 2025: 96 GPUs, more than 200 targets in five days, up to 40 % less IT
power, 30 % within 30 s, "100 % alignment"; mix and targets were not published and are assumptions here.

A target counts as met if from 30 s after the signal to its end no minute's mean is more than 1 % above it.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
import numpy as np
from rich.console import Console
from rich.table import Table

from headrace.adapters.caps.power_curves import load_curves
from headrace.app.bench.flex_loop import dsx_flex_loop
from headrace.app.bench.machine import machine, versions
from headrace.control.targets import meet_target
from headrace.loads.flexibility import LOSS_ALLOWED_RATIO, FlexClass, Lever, Tier
from headrace.sim.gpu_fleet import Actuators, GpuFleet

__all__ = ["bench_flex", "london_classes", "phoenix_classes", "print_flex", "run_event"]

SEED: Final = 20251215
TARGETS: Final = 200
DAYS: Final = 5
CUT_LEAST_RATIO, CUT_MOST_RATIO = 0.05, 0.40
DURATIONS_S: Final = (300, 900, 1800, 3600, 10_800, 36_000)
DURATION_ODDS: Final = (0.30, 0.33, 0.25, 0.09, 0.025, 0.005)
IN_TIME_S: Final = 30.0
TOLERANCE_RATIO: Final = 0.01
MARGIN_RATIO: Final = 0.005
"""Planned below the target against the meter's and the work's variation."""
METER_SIGMA_RATIO: Final = 0.002
METER_PERIOD_S: Final = 1.0
CORRECT_EVERY_S: Final = 5.0
FAST_S: Final = 0.2
"""Step of the first minute of an event; the others are as long as the time between corrections."""
NODE_MW: Final = 0.005
FIXED_RATIO: Final = 0.35
"""Share of a server's power that its accelerators do not draw: 5.0 kW at the 95th percentile with eight accelerators
of 408 W (InternLM/AcmeTrace, 6d6ac9cd)."""
GPUS_PER_NODE: Final = 8
WINDOW_S: Final = 86_400.0

Settings = tuple[list[int], list[float]]
"""Per class: units paused, and accelerator power of the others."""
Policy = Callable[[Sequence[FlexClass], float, float], Settings]


class EventResult(msgspec.Struct, frozen=True, kw_only=True):
    """How one event went."""

    is_met: bool
    """As the module's docstring says."""
    time_to_target_s: float | None
    """Until a meter reading was first within 1 % of the target, seconds; None if never."""
    throughput_ratio: tuple[float, ...]
    """Mean of each class over the event."""
    mean_mw: float
    """Mean power, MW."""


def phoenix_classes(*, decode: str = "decode") -> tuple[FlexClass, ...]:
    """32 servers, accelerator power alone, as Phoenix metered it; the published mix.

    GPUs of the three training jobs are not published: 64, 32 and 32 reproduce the weighted performance to 0.4 points.
    `decode` names the curve of the inference jobs.
    """
    return (
        _class("infer_48g_flex1", Tier.FLEX_1, decode, 6, value=20.0, fixed_ratio=0.0),
        _class("infer_48g_flex2", Tier.FLEX_2, decode, 6, value=16.0, fixed_ratio=0.0, can_pause=True),
        _class("infer_32g_flex3", Tier.FLEX_3, decode, 4, value=12.0, fixed_ratio=0.0, can_pause=True),
        _class("finetune_flex2", Tier.FLEX_2, "training", 8, value=12.0, fixed_ratio=0.0, can_pause=True),
        _class("pretrain_13b_flex3", Tier.FLEX_3, "training", 4, value=8.0, fixed_ratio=0.0, can_pause=True),
        _class("pretrain_7b_flex3", Tier.FLEX_3, "training", 4, value=8.0, fixed_ratio=0.0, can_pause=True),
    )


def london_classes(*, loss_window_s: float) -> tuple[FlexClass, ...]:
    """Twelve servers with all of their IT power; an assumed mix of all four tiers."""
    return (
        _class(
            "serving_flex0", Tier.FLEX_0, "decode", 2, value=32.0, fixed_ratio=FIXED_RATIO, loss_window_s=loss_window_s
        ),
        _class(
            "serving_flex1", Tier.FLEX_1, "decode", 2, value=20.0, fixed_ratio=FIXED_RATIO, loss_window_s=loss_window_s
        ),
        _class(
            "finetune_flex2",
            Tier.FLEX_2,
            "training",
            3,
            value=12.0,
            fixed_ratio=FIXED_RATIO,
            loss_window_s=loss_window_s,
            can_pause=True,
        ),
        _class(
            "pretrain_flex3",
            Tier.FLEX_3,
            "training",
            5,
            value=8.0,
            fixed_ratio=FIXED_RATIO,
            loss_window_s=loss_window_s,
            can_pause=True,
        ),
    )


def _class(
    name: str,
    tier: Tier,
    curve: str,
    units: int,
    *,
    value: float,
    fixed_ratio: float,
    loss_window_s: float = 0.0,
    can_pause: bool = False,
) -> FlexClass:
    return FlexClass(
        name=name,
        tier=tier,
        curve=load_curves()[curve],
        units=units,
        unit_full_mw=NODE_MW,
        unit_fixed_mw=fixed_ratio * NODE_MW,
        unit_value_ccy_per_h=value,
        can_pause=can_pause,
        loss_window_s=loss_window_s,
    )


def by_tier(classes: Sequence[FlexClass], target_mw: float, duration_s: float) -> Settings:
    """Ours."""
    plan = meet_target(classes, target_mw=target_mw, duration_s=duration_s)
    return [s.paused_units for s in plan.settings], [s.running_ratio for s in plan.settings]


def uniform_cap(classes: Sequence[FlexClass], target_mw: float, _duration_s: float) -> Settings:
    """The same board limit for all, whatever runs."""
    fixed_mw = sum(each.units * each.unit_fixed_mw for each in classes)
    span_mw = sum(each.full_mw for each in classes) - fixed_mw
    lowest_ratio = min(each.curve.power_ratio[0] for each in classes if each.curve.lever is Lever.CAP)
    ratio = min(1.0, max(lowest_ratio, (target_mw - fixed_mw) / span_mw))
    return [0] * len(classes), [ratio] * len(classes)


def pause_lowest_tier(classes: Sequence[FlexClass], target_mw: float, _duration_s: float) -> Settings:
    """Whole classes paused, the most flexible first, until it is enough."""
    paused = [0] * len(classes)
    power_mw = sum(each.full_mw for each in classes)
    for index in sorted(range(len(classes)), key=lambda i: -classes[i].tier):
        each = classes[index]
        if power_mw <= target_mw or each.tier is Tier.FLEX_0:
            break
        paused[index] = each.units
        power_mw -= each.units * (each.unit_full_mw - each.unit_mw(each.curve.idle_ratio))
    return paused, [1.0] * len(classes)


POLICIES: Final[dict[str, Policy]] = {
    "headrace": by_tier,
    "uniform_cap": uniform_cap,
    "pause_lowest_tier": pause_lowest_tier,
}


class _Watch:
    """Judges an event from what the fleet draws, and reads a meter with an error."""

    def __init__(self, target_mw: float, rng: np.random.Generator) -> None:
        self.reached_s: float | None = None
        self.worst_minute_mw = 0.0
        self.total_mws = 0.0
        self._limit_mw = target_mw * (1.0 + TOLERANCE_RATIO)
        self._rng = rng
        self._read = [0.0, 0.0]  # MW s and s since the last reading
        self._minute = [0.0, 0.0]
        self._readings_mw: list[float] = []

    def see(self, at_s: float, power_mw: float, dt_s: float) -> None:
        self.total_mws += power_mw * dt_s
        self._read = [self._read[0] + power_mw * dt_s, self._read[1] + dt_s]
        if self._read[1] >= METER_PERIOD_S - 1e-6:
            error_ratio = METER_SIGMA_RATIO * self._rng.standard_normal()
            self._readings_mw.append(self._read[0] / self._read[1] * (1.0 + error_ratio))
            self._read = [0.0, 0.0]
            if self.reached_s is None and self._readings_mw[-1] <= self._limit_mw:
                self.reached_s = at_s
        if at_s > IN_TIME_S + 1e-6:
            self._minute = [self._minute[0] + power_mw * dt_s, self._minute[1] + dt_s]
            if self._minute[1] >= 60.0 - 1e-6:
                self.worst_minute_mw = max(self.worst_minute_mw, self._minute[0] / self._minute[1])
                self._minute = [0.0, 0.0]

    def mean_mw(self) -> float:
        """Mean of the readings since it was last asked."""
        mean_mw = float(np.mean(self._readings_mw))
        self._readings_mw.clear()
        return mean_mw

    @property
    def is_met(self) -> bool:
        return self.worst_minute_mw <= self._limit_mw


def run_event(
    fleet: GpuFleet,
    classes: Sequence[FlexClass],
    policy: Policy,
    *,
    target_mw: float,
    duration_s: float,
    rng: np.random.Generator,
    by_cap: bool,
) -> EventResult:
    """Run one event on the fleet: plan, then correct by the meter every few seconds."""
    planned_mw = target_mw * (1.0 - MARGIN_RATIO)
    fleet.command(*policy(classes, planned_mw, duration_s), by_cap=by_cap)
    watch = _Watch(target_mw, rng)
    start_s, at_s, bias_mw, next_s = fleet.now_s, 0.0, 0.0, CORRECT_EVERY_S
    done = np.zeros(len(classes))
    while at_s < duration_s - 1e-6:
        dt_s = FAST_S if at_s < 2 * IN_TIME_S - 1e-6 else CORRECT_EVERY_S
        done += fleet.step(dt_s) * dt_s
        at_s = fleet.now_s - start_s
        watch.see(at_s, fleet.power_mw, dt_s)
        if at_s < next_s - 1e-6:
            continue
        next_s += CORRECT_EVERY_S
        excess_mw = watch.mean_mw() - planned_mw
        gain = 0.5 if excess_mw > 0.0 else 0.2
        new_bias_mw = min(0.1 * target_mw, max(0.0, bias_mw + gain * excess_mw))
        if abs(new_bias_mw - bias_mw) > 0.001 * target_mw:
            bias_mw = new_bias_mw
            fleet.command(*policy(classes, planned_mw - bias_mw, duration_s), by_cap=by_cap)
    return EventResult(
        is_met=watch.is_met,
        time_to_target_s=watch.reached_s,
        throughput_ratio=tuple(float(each) for each in done / duration_s),
        mean_mw=watch.total_mws / duration_s,
    )


def rest(fleet: GpuFleet, seconds: float) -> None:
    """Everything free again for a while; minutes of rest pass in steps of a minute."""
    fleet.command([0] * len(fleet.classes), [1.0] * len(fleet.classes))
    for _ in range(60):
        fleet.step(1.0)
    fleet.now_s += max(0.0, seconds - 60.0)


def phoenix(policy: str, *, decode: str = "decode") -> dict[str, Any]:
    """25 % less for 3 h."""
    rng = np.random.default_rng([SEED, 1])
    classes = phoenix_classes(decode=decode)
    full_mw = sum(each.full_mw for each in classes)
    fleet = GpuFleet(classes, Actuators(), rng)
    rest(fleet, 60.0)
    result = run_event(
        fleet,
        classes,
        POLICIES[policy],
        target_mw=0.75 * full_mw,
        duration_s=3 * 3600.0,
        rng=rng,
        by_cap=policy == "uniform_cap",
    )
    weights = [each.units for each in classes]
    return {
        "is_met": result.is_met,
        "time_to_target_s": result.time_to_target_s,
        "power_cut_ratio": 1.0 - result.mean_mw / full_mw,
        "weighted_throughput_ratio": float(np.average(result.throughput_ratio, weights=weights)),
        "throughput_ratio": {c.name: t for c, t in zip(classes, result.throughput_ratio, strict=True)},
        "qos_violations": _violations(classes, result.throughput_ratio),
    }


def london(policy: str, *, loss_window_s: float) -> dict[str, Any]:
    """200 random targets over five days."""
    rng = np.random.default_rng([SEED, 2])
    plain = london_classes(loss_window_s=loss_window_s)
    fleet = GpuFleet(plain, Actuators(), rng)
    full_mw = sum(each.full_mw for each in plain)
    history: list[tuple[float, list[float]]] = []
    rows: list[EventResult] = []
    possible: list[bool] = []
    broken = {"per_event": 0, "per_day": 0}
    for cut_ratio, duration_s, pause_s in _london_events():
        rest(fleet, pause_s)
        used_s = [sum(loss[i] for at, loss in history if at > fleet.now_s - WINDOW_S) for i in range(len(plain))]
        classes = [msgspec.structs.replace(c, lost_s=used) for c, used in zip(plain, used_s, strict=True)]
        target_mw = (1.0 - cut_ratio) * full_mw
        possible.append(meet_target(classes, target_mw=target_mw, duration_s=duration_s).short_mw == 0.0)
        row = run_event(
            fleet,
            classes,
            POLICIES[policy],
            target_mw=target_mw,
            duration_s=duration_s,
            rng=rng,
            by_cap=policy == "uniform_cap",
        )
        rows.append(row)
        loss_s = [(1.0 - each) * duration_s for each in row.throughput_ratio]
        history.append((fleet.now_s, loss_s))
        broken["per_event"] += _violations(classes, row.throughput_ratio)
        broken["per_day"] += _window_violations(classes, [u + x for u, x in zip(used_s, loss_s, strict=True)])
    return (
        _summary(rows, possible)
        | {
            "qos_violations": broken["per_day" if loss_window_s > 0.0 else "per_event"],
            "qos_violations_over_24_h": broken["per_day"],
        }
        | _lost(plain, [loss for _, loss in history])
    )


def _lost(classes: Sequence[FlexClass], lost_s: Sequence[Sequence[float]]) -> dict[str, Any]:
    """Throughput lost per tier over all events, and what it was worth."""
    per_class_s = np.sum(np.asarray(lost_s), axis=0)
    held_s = sum(duration for _, duration, _ in _london_events())
    units = [each.units for each in classes]
    return {
        "throughput_lost_ratio": {
            f"flex_{tier:d}": float(
                np.average(
                    [s for c, s in zip(classes, per_class_s, strict=True) if c.tier is tier],
                    weights=[u for c, u in zip(classes, units, strict=True) if c.tier is tier],
                )
            )
            / held_s
            for tier in Tier
        },
        "throughput_lost_worth_ccy": float(
            sum(s / 3600.0 * c.units * c.unit_value_ccy_per_h for c, s in zip(classes, per_class_s, strict=True))
        ),
    }


def _london_events() -> list[tuple[float, float, float]]:
    """(cut, duration, rest before) of each: the same for every policy."""
    rng = np.random.default_rng([SEED, 3])
    cut = rng.uniform(CUT_LEAST_RATIO, CUT_MOST_RATIO, TARGETS)
    duration_s = rng.choice(DURATIONS_S, TARGETS, p=DURATION_ODDS).astype(float)
    spare_s = DAYS * 86_400.0 - float(duration_s.sum())
    gaps = rng.dirichlet(np.ones(TARGETS)) * max(spare_s, 0.0)
    return [(float(c), float(d), max(60.0, float(g))) for c, d, g in zip(cut, duration_s, gaps, strict=True)]


def _summary(rows: Sequence[EventResult], possible: Sequence[bool]) -> dict[str, Any]:
    times = [r.time_to_target_s for r, p in zip(rows, possible, strict=True) if p and r.time_to_target_s is not None]
    met = [row.is_met for row in rows]
    return {
        "targets": len(rows),
        "met_ratio": sum(met) / len(met),
        "possible_ratio": sum(possible) / len(possible),
        "met_of_possible_ratio": sum(m for m, p in zip(met, possible, strict=True) if p) / max(1, sum(possible)),
        "time_to_target_s": {
            name: float(np.quantile(times, q)) if times else None
            for name, q in (("p50", 0.5), ("p95", 0.95), ("max", 1.0))
        },
    }


def _violations(classes: Sequence[FlexClass], throughput_ratio: Sequence[float]) -> int:
    """Classes that lost more than their tier allows over the event, half a point forgiven."""
    return sum(
        1.0 - done > LOSS_ALLOWED_RATIO[c.tier] + 0.005 for c, done in zip(classes, throughput_ratio, strict=True)
    )


def _window_violations(classes: Sequence[FlexClass], lost_s: Sequence[float]) -> int:
    return sum(lost > (LOSS_ALLOWED_RATIO[c.tier] + 0.005) * WINDOW_S for c, lost in zip(classes, lost_s, strict=True))


def bench_flex() -> dict[str, Any]:
    """Both events by every policy, and the signed loop over MQTT.

    Returns
    -------
    dict
        `phoenix.<policy>`, `phoenix_decode_unmoved.headrace` (no lever but pauses moves inference: the measured fact
        without the assumed clock), `london.<policy>` (tiers hold in every event), `london_day_window.headrace`
        (tiers hold over 24 h, which the baselines do not look at), `published`, `actuators`, `dsx_flex`.
    """
    return {
        "phoenix": {policy: phoenix(policy) for policy in POLICIES},
        "phoenix_decode_unmoved": {"headrace": phoenix("headrace", decode="decode-capped")},
        "london": {policy: london(policy, loss_window_s=0.0) for policy in POLICIES},
        "london_day_window": {"headrace": london("headrace", loss_window_s=WINDOW_S)},
        "published": {
            "phoenix_cut_ratio": 0.25,
            "phoenix_weighted_throughput_ratio": 0.910,
            "london_met_ratio": 1.0,
            "london_within_s": 30.0,
        },
        "actuators": msgspec.to_builtins(Actuators()),
        "dsx_flex": dsx_flex_loop(),
        "versions": versions(),
        "machine": machine(),
    }


def print_flex(figures: dict[str, Any], console: Console) -> None:
    """Tables for people."""
    table = Table(
        "event", "policy", "met", "of possible", "to target p50 / p95 / max, s", "throughput lost", "QoS broken"
    )
    unmoved = figures["phoenix_decode_unmoved"]["headrace"]
    for policy, row in (*figures["phoenix"].items(), ("headrace, inference unmoved", unmoved)):
        lost = 1.0 - row["weighted_throughput_ratio"]
        when = row["time_to_target_s"]
        shown = "never" if when is None else f"{when:.0f}"
        table.add_row("25 % for 3 h", policy, str(row["is_met"]), "", shown, f"{lost:.1%}", str(row["qos_violations"]))
    for event in ("london", "london_day_window"):
        for policy, row in figures[event].items():
            times = " / ".join("-" if t is None else f"{t:.0f}" for t in row["time_to_target_s"].values())
            lost = " ".join(f"{share:.0%}" for share in row["throughput_lost_ratio"].values())
            table.add_row(
                f"{row['targets']} targets ({'24 h tiers' if event != 'london' else 'tiers per event'})",
                policy,
                f"{row['met_ratio']:.0%}",
                f"{row['met_of_possible_ratio']:.0%} of {row['possible_ratio']:.0%}",
                times,
                lost,
                str(row["qos_violations"]),
            )
    console.print(table)
    loop = figures["dsx_flex"]
    if loop.get("reason"):
        console.print(f"DSX Flex loop: n/a, {loop['reason']}")
    else:
        p50, p95 = loop["loop_ms"]["p50"], loop["loop_ms"]["p95"]
        console.print(
            f"DSX Flex, signed target to verified status, {loop['processes']} processes: {p50:.1f} ms, p95 {p95:.1f} ms"
        )
