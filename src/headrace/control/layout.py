"""The inventory as columns, laid out once: positions for names, and what every rule asks of 20,000 assets at a time."""

import math
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from headrace.control.assets import Asset, AssetKind, Inventory, WhenLost

__all__ = ["US_PER_S", "Layout", "layout_of"]

US_PER_S: Final = 1_000_000
"""Microseconds in a second."""


class Layout(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """An inventory with its columns; N assets, F feeders, L loads."""

    inventory: Inventory
    position: dict[str, int]
    """Position of each asset by name."""
    feeder_position: dict[str, int]
    """Position of each feeder by name."""
    meter_position: dict[str, int]
    """Position of each feeder by the name of its meter."""
    load_names: tuple[str, ...]
    """Loads that the inventory names, in its order; equipment that serves all has the empty name."""
    load_of: NDArray[np.int64]
    """Load of each asset, shape (N,)."""
    feeder_of: NDArray[np.int64]
    """Feeder of each asset, shape (N,)."""
    behind_of: NDArray[np.int64]
    """Feeder that each asset's command is felt on: for a switch the one it serves, else its own; shape (N,)."""
    is_load: NDArray[np.bool_]
    """Is it a machine that control may stop and start? Shape (N,)."""
    keeps: NDArray[np.bool_]
    """Does it go on as last told when it hears nothing? Shape (N,)."""
    batteries: tuple[int, ...]
    """Positions of batteries."""
    full_mw: NDArray[np.float64]
    """Shape (N,)."""
    standby_mw: NDArray[np.float64]
    """Shape (N,)."""
    least_mw: NDArray[np.float64]
    """Least power under a cap, shape (N,); NaN for one that is on or off."""
    watchdog_us: NDArray[np.int64]
    """Shape (N,)."""
    min_off_us: NDArray[np.int64]
    """Shape (N,)."""
    base_mw: NDArray[np.float64]
    """What each feeder carries beside its assets, shape (F,)."""
    is_switch: NDArray[np.bool_]
    """Is it the switch of a feeder? Shape (N,)."""
    contactor_of: tuple[int, ...]
    """Asset that switches each feeder; -1 for none."""
    cooling_of: tuple[int, ...]
    """Asset that cools each feeder; -1 for none."""

    def asset(self, i: int) -> Asset:
        """The asset at a position."""
        return self.inventory.assets[i]

    def worth_ccy_per_mwh(self, of_load: dict[str, float]) -> NDArray[np.float64]:
        """Worth of each asset's power by its load, shape (N,); what nothing is said of is worth nothing."""
        by_load = np.array([of_load.get(name, 0.0) for name in self.load_names])
        return by_load[self.load_of]


def layout_of(inventory: Inventory) -> Layout:
    """Lay out an inventory."""
    assets = inventory.assets
    position = {asset.name: i for i, asset in enumerate(assets)}
    feeder_position = {feeder.name: f for f, feeder in enumerate(inventory.feeders)}
    load_names = tuple(dict.fromkeys(asset.load for asset in assets))
    load_position = {name: k for k, name in enumerate(load_names)}

    feeder_of = np.array([feeder_position[asset.feeder] for asset in assets], np.int64)
    behind_of, is_switch = feeder_of.copy(), np.zeros(len(assets), np.bool_)
    contactor_of = tuple(position.get(feeder.contactor, -1) for feeder in inventory.feeders)
    for f, contactor in enumerate(contactor_of):
        if contactor >= 0:
            behind_of[contactor], is_switch[contactor] = f, True

    def column(values: list[float]) -> NDArray[np.float64]:
        return np.array(values, np.float64)

    return Layout(
        inventory=inventory,
        position=position,
        feeder_position=feeder_position,
        meter_position={feeder.meter: f for f, feeder in enumerate(inventory.feeders)},
        load_names=load_names,
        load_of=np.array([load_position[asset.load] for asset in assets], np.int64),
        feeder_of=feeder_of,
        behind_of=behind_of,
        is_switch=is_switch,
        is_load=np.array([asset.kind in (AssetKind.MINER, AssetKind.NODE) for asset in assets], np.bool_),
        keeps=np.array([asset.when_lost is WhenLost.KEEPS for asset in assets], np.bool_),
        batteries=tuple(i for i, asset in enumerate(assets) if asset.kind is AssetKind.BATTERY),
        full_mw=column([asset.full_mw for asset in assets]),
        standby_mw=column([asset.standby_mw for asset in assets]),
        least_mw=column([math.nan if asset.least_mw is None else asset.least_mw for asset in assets]),
        watchdog_us=np.array([round(asset.watchdog_s * US_PER_S) for asset in assets], np.int64),
        min_off_us=np.array([round(asset.min_off_s * US_PER_S) for asset in assets], np.int64),
        base_mw=column([feeder.base_mw for feeder in inventory.feeders]),
        contactor_of=contactor_of,
        cooling_of=tuple(position.get(feeder.cooling, -1) for feeder in inventory.feeders),
    )
