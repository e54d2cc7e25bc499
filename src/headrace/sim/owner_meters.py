"""Meters of machines and halls that belong to others, and what each allowance is charged with."""

from typing import Final

from headrace.control.govern import Flows
from headrace.dispatch.allowance import Stock
from headrace.dispatch.owner_terms import rows_of, stocks_of
from headrace.dispatch.uses import SiteModel, UseKind
from headrace.settlement.owners import HostedMeter, ShellMeter

__all__ = ["OwnerMeters"]

WH_PER_MWH: Final = 1_000_000


class OwnerMeters:
    """Meters of a site's hosting contracts, powered-shell tenants and allowances."""

    def __init__(self, model: SiteModel) -> None:
        """Find the blocks that each contract speaks of."""
        miner = {each.name: i for i, each in enumerate(model.site.miners)}
        self._hosted = [rows_of(model, UseKind.MINING, miner[each.miner]) for each in model.site.hosting]
        self._stocks = stocks_of(model)
        self._cooling = [use.cooling for use in model.uses]
        self._full_it_mw = [sum(model.uses[row].it_max_mw for row in stock.rows) for stock in self._stocks]
        self._hours = model.site.control_step_s / 3600.0
        self._step_s = model.site.control_step_s

    def hosted(self, wanted_mw: tuple[float, ...], flows: Flows, pue: list[float]) -> tuple[HostedMeter, ...]:
        """Read every hosting contract's meter: what each block could take, what it got, each cooling's PUE."""
        meters = []
        for rows in self._hosted:
            got = [(flows.use_mw[i], pue[self._cooling[i]]) for i in rows]
            short = [(max(0.0, wanted_mw[i] - flows.use_mw[i]), pue[self._cooling[i]]) for i in rows]
            meters.append(
                HostedMeter(
                    it_wh=self._wh(sum(mw / ratio for mw, ratio in got)),
                    bus_wh=self._wh(sum(mw for mw, _ in got)),
                    short_it_wh=self._wh(sum(mw / ratio for mw, ratio in short)),
                    short_bus_wh=self._wh(sum(mw for mw, _ in short)),
                )
            )
        return tuple(meters)

    def shell(self, asked_mw: list[float], served_ratio: list[float]) -> tuple[ShellMeter, ...]:
        """Read every tenant's meter, at the share of its firm power that was served."""
        return tuple(
            ShellMeter(wh=self._wh(mw * share), short_wh=self._wh(mw * (1.0 - share)))
            for mw, share in zip(asked_mw, served_ratio, strict=True)
        )

    def short_s(self, wanted_mw: tuple[float, ...], flows: Flows, pue: list[float]) -> tuple[int, ...]:
        """Seconds of full stop that each allowance is charged with."""
        return tuple(
            self._stopped_s(stock, full_it_mw, wanted_mw, flows, pue)
            for stock, full_it_mw in zip(self._stocks, self._full_it_mw, strict=True)
        )

    def _stopped_s(
        self, stock: Stock, full_it_mw: float, wanted_mw: tuple[float, ...], flows: Flows, pue: list[float]
    ) -> int:
        short_it_mw = sum(max(0.0, wanted_mw[i] - flows.use_mw[i]) / pue[self._cooling[i]] for i in stock.rows)
        return round(self._step_s * short_it_mw / full_it_mw)

    def _wh(self, power_mw: float) -> int:
        return round(power_mw * self._hours * WH_PER_MWH)
