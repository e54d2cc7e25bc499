"""Running totals of the world: energy in watt-hours and work in whole units, as the site's meters would count them."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from headrace.dispatch.site import Site
from headrace.loads import Firmness
from headrace.sim.world.layout import Layout, LoadKind

__all__ = ["Totals"]

WS_PER_WH = 3600.0

Floats = NDArray[np.float64]


class Totals:
    """What has been drawn and done since the world began.

    Parameters
    ----------
    site
        The site.
    layout
        Its machines and loads.
    """

    def __init__(self, site: Site, layout: Layout) -> None:
        self._site = site
        self._layout = layout
        self.import_ws = 0.0
        """Energy drawn from the grid."""
        self.export_ws = 0.0
        """Energy fed to it."""
        self.over_import_ws = 0.0
        """Energy drawn above the connection's limit."""
        self.feeder_in_ws: Floats = np.zeros(len(layout.feeders))
        """Energy each feeder drew."""
        self.feeder_out_ws: Floats = np.zeros(len(layout.feeders))
        """Energy each feeder fed back."""
        loads = len(layout.loads)
        self.it_ws: Floats = np.zeros(loads)
        """IT energy of each load."""
        self.use_ws: Floats = np.zeros(loads)
        """Energy of each load's flexible part at the bus, its cooling included."""
        self.done: Floats = np.zeros(loads)
        """Work of each load: petahashes, GPU seconds, requests."""
        self.missed: Floats = np.zeros(loads)
        """Work asked for and not done, likewise; none for mining."""
        self.shell_ws: Floats = np.zeros(len(site.tenants))
        """Energy of each powered-shell tenant."""
        self.generated_ws: Floats = np.zeros(len(site.generators))
        """Energy of each generator."""
        self.ppa_ws: Floats = np.zeros(len(site.ppas))
        """Energy generated under each power purchase agreement."""
        self.heat_ws: Floats = np.zeros(len(site.heat))
        """Heat sold through each off-take."""

    def work(self, *, start_s: float, step_s: float, load_ws: Floats, full_ratio: Floats, asked: Floats) -> None:
        """Add a step's work of every load.

        Parameters
        ----------
        start_s, step_s
            Start of the step, epoch seconds, and its length.
        load_ws
            Energy of each load, shape (L,).
        full_ratio
            Share of its full work that each load did, shape (L,).
        asked
            Requests a second that came to each inference service; of another load nothing, shape (L,).
        """
        site = self._site
        for i, load in enumerate(self._layout.loads):
            ratio = float(full_ratio[i])
            match load.kind:
                case LoadKind.MINING:
                    self.done[i] += self._phs(load.position, ratio) * step_s
                case LoadKind.LEASE:
                    lease = site.leases[load.position]
                    if (lease.start_s or 0.0) <= start_s < (lease.end_s or float("inf")):
                        self.done[i] += lease.gpus * ratio * step_s
                        self.missed[i] += lease.gpus * (1.0 - ratio) * step_s
                case LoadKind.INFERENCE:
                    service = site.inference[load.position]
                    idle_ws = service.idle_ratio * service.it_max_mw * 1e6 * step_s
                    able = max(0.0, float(load_ws[i]) - idle_ws) / (service.wh_per_request * WS_PER_WH)
                    came = float(asked[i]) * step_s
                    self.done[i] += min(able, came)
                    self.missed[i] += max(0.0, came - able)
                case LoadKind.JOBS:
                    pass

    def counters(self) -> Iterator[tuple[str, int]]:
        """Every counter by its name in `control.readings.CounterReading`, energy of feeders and battery aside."""
        site = self._site
        yield "import_wh", _wh(self.import_ws)
        yield "export_wh", _wh(self.export_ws)
        yield "it_wh", _wh(float(self.it_ws.sum()) + float(self.shell_ws.sum()))
        for i, load in enumerate(self._layout.loads):
            done, missed = int(self.done[i]), int(self.missed[i])
            yield f"use_wh.{load.name}", _wh(float(self.use_ws[i]))
            if load.kind is LoadKind.MINING:
                yield f"work_ph.{load.name}", done
            elif load.kind is LoadKind.LEASE:
                yield f"lease_delivered_gpu_s.{load.name}", done
                yield f"lease_short_gpu_s.{load.name}", missed
            elif load.kind is LoadKind.INFERENCE:
                yield f"requests_served.{load.name}", done
                yield f"requests_asked.{load.name}", done + missed
        yield from ((f"generated_wh.{g.name}", _wh(float(self.generated_ws[i]))) for i, g in enumerate(site.generators))
        yield from ((f"ppa_wh.{p.name}", _wh(float(self.ppa_ws[i]))) for i, p in enumerate(site.ppas))
        yield from ((f"heat_wh.{h.load}", _wh(float(self.heat_ws[i]))) for i, h in enumerate(site.heat))
        yield from ((f"shell_wh.{t.name}", _wh(float(self.shell_ws[i]))) for i, t in enumerate(site.tenants))

    def firm_missed(self) -> float:
        """GPU seconds that firm leases were let and did not get."""
        return sum(
            float(self.missed[i])
            for i, load in enumerate(self._layout.loads)
            if load.kind is LoadKind.LEASE and self._site.leases[load.position].firmness is Firmness.FIRM
        )

    def _phs(self, miner: int, ratio: float) -> float:
        """Hash rate of a class at a share of its power, PH/s."""
        curve = self._site.miners[miner]
        return float(np.interp(ratio * curve.power_mw[-1], curve.power_mw, curve.hashrate_phs))


def _wh(energy_ws: float) -> int:
    return int(energy_ws / WS_PER_WH)
