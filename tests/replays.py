"""A short replay of the demo site for tests: everything composed as the command line does, over a few days."""

from datetime import timedelta
from importlib import resources
from pathlib import Path

import msgspec

from headrace.adapters.feeds.recorded import RecordedFeed
from headrace.adapters.sitefile import LoadedSite, load_site
from headrace.app.replaying import Variant, prepare, replay
from headrace.core import Interval
from headrace.engine.results import ReplayResult

SITES = Path(str(resources.files("headrace.app"))) / "sites"


def demo_site() -> LoadedSite:
    """The site of `headrace demo`."""
    return load_site(SITES / "demo.toml")


def days_of(loaded: LoadedSite, first: int, count: int) -> Interval:
    """A few whole days of the site file's period."""
    assert loaded.window is not None
    start = loaded.window.start + timedelta(days=first)
    return Interval(start=start, end=start + timedelta(days=count))


def run(
    loaded: LoadedSite,
    window: Interval,
    labels: tuple[str, ...],
    journals: Path | None = None,
    *,
    resume: bool = False,
    data: Path | None = None,
) -> ReplayResult:
    """Replay without progress."""
    return replay(
        loaded,
        data_dir=data,
        window=window,
        labels=labels,
        journals=journals,
        resume=resume,
        progress=lambda _label: lambda _done, _total: None,
    )


def world(loaded: LoadedSite, window: Interval) -> Variant:
    """The site, its series, and what really came."""
    return prepare(loaded, RecordedFeed(None, loaded.feeds, loaded.site.time_zone), window)


def with_battery_start(loaded: LoadedSite, stored_mwh: float) -> LoadedSite:
    """The same site with another energy in store."""
    battery = msgspec.structs.replace(loaded.site.battery, stored_start_mwh=stored_mwh)
    return msgspec.structs.replace(loaded, site=msgspec.structs.replace(loaded.site, battery=battery))
