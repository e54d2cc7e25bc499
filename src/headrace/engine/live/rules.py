"""Limits of a live engine: how old, how late, how long, how often. Every wait and every age has one."""

from collections.abc import Mapping

import msgspec

from headrace.control.authority import NO_EXCEPTIONS, LadderRules

__all__ = ["LiveRules"]


class LiveRules(msgspec.Struct, frozen=True, kw_only=True):
    """What a site declares of its live engine; the defaults suit a five-minute control step."""

    poll_s: float = 1.0
    """Period of the watch: meters are read, limits and watchdogs looked after, seconds."""
    asset_poll_s: float = 10.0
    """Period at which assets are asked what they do, seconds."""
    feed_poll_s: float = 60.0
    """Period at which feeds are asked for news, seconds."""
    solve_deadline_s: float = 20.0
    """How long a plan may take; then the last one stands in, seconds."""
    last_plan_max_s: int = 3600
    """How long the last plan may stand in before the safe rule, seconds."""
    stale_after_s: Mapping[str, int] = {}
    """Age from which a feed role is stale, seconds; else after four of its intervals, at least 1 h."""
    deciding_roles: tuple[str, ...] = ("real_time",)
    """Roles without which nothing new is planned; the others only raise an alarm."""
    meter_age_max_s: float = 10.0
    """Age from which a meter's reading proves nothing, seconds."""
    settle_grace_s: float = 2.0
    """After an order's own time, how long its meter may lag before the switch is thrown, seconds."""
    over_limit_ratio: float = 0.005
    """How far above a limit the meter may show, as a share of it, before the difference is shed."""
    command_life_s: float = 60.0
    """How long a plan's command may still be carried out, seconds."""
    fsync_every: int = 1
    """Records between writes to disk; orders and commands are always on disk before their effect."""
    ladder: LadderRules = NO_EXCEPTIONS
    """What the site declares of its ladder of authority."""
    verify_s: float = 0.1
    """Period at which meters are read while an order waits for their word, seconds."""
    device_settle_s: float = 1.0
    """Time that a device needs after its acknowledgement before a meter can judge it, seconds."""
    headroom_ratio: float | None = None
    """Power that each inference service may take at once beyond what it asks for, as a share of its full power; None:
    services are not capped, and what passes a limit is shed once a meter shows it."""
    wake_settle_s: float = 45.0
    """Time that a started machine needs before a meter can tell what it draws, seconds."""
    verdict_max_s: float = 60.0
    """How long a meter may take to judge a command before it is left unjudged, seconds."""
