"""Built-in catalogue of mining machines: operating points of one machine, with their source."""

from functools import cache
from importlib.resources import files

import msgspec

__all__ = ["AsicModel", "asic_models"]


class AsicModel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Operating points of one machine of a model."""

    model: str
    """Model name."""
    curve: tuple[tuple[float, float], ...]
    """[power at the wall in W, hash rate in TH/s]; one point where only the nameplate is known."""
    source: str
    """Where the figures come from, and when."""


class _Catalogue(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    asic: tuple[AsicModel, ...]


@cache
def asic_models() -> dict[str, AsicModel]:
    """Every model of the catalogue by name."""
    text = files("headrace.adapters.sitefile").joinpath("asics.toml").read_bytes()
    return {asic.model: asic for asic in msgspec.toml.decode(text, type=_Catalogue).asic}
