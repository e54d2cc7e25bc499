"""The vocabulary every room shares: errors, time, money, ids. It decides nothing and imports nothing of ours."""

from headrace.core.check import require
from headrace.core.errors import BadInput, ExitCode, HeadraceError
from headrace.core.ids import content_id
from headrace.core.money import MICRO, SATS_PER_BTC, Currency, divide_down, divide_nearest, divide_up, micro
from headrace.core.time import Interval, epoch_s, from_epoch_s, iso

__all__ = [
    "MICRO",
    "SATS_PER_BTC",
    "BadInput",
    "Currency",
    "ExitCode",
    "HeadraceError",
    "Interval",
    "content_id",
    "divide_down",
    "divide_nearest",
    "divide_up",
    "epoch_s",
    "from_epoch_s",
    "iso",
    "micro",
    "require",
]
