"""How figures read: money with its currency, power with its unit, names as people say them."""

import math
from typing import Final

from headrace.engine.results import PolicyRun

__all__ = [
    "LINE_NAMES",
    "energy",
    "first_capital",
    "money",
    "policy_name",
    "price",
    "share",
    "short_money",
    "signed_money",
]

LINE_NAMES: Final = {
    "energy_bought": "energy bought",
    "energy_sold": "energy sold",
    "adders": "grid adders",
    "mining": "mining",
    "pool_fees": "pool fees",
    "ai_firm": "firm AI",
    "ai_curtailable": "curtailable AI",
    "inference": "inference",
    "heat": "heat sold",
    "service_credits": "service credits",
    "ppa": "purchase agreements",
    "peak": "peak charge",
    "generation": "own generation",
    "wear": "battery wear",
    "day_ahead": "day-ahead position",
    "hedge": "fixed-price hedges",
    "basis": "hub-to-zone basis",
    "supply_fees": "supply fees",
    "fixed_charges": "fixed charges",
    "transmission": "coincident peaks",
    "reserve": "reserves sold",
    "reserve_penalties": "reserve penalties",
    "jobs": "batch jobs",
    "job_penalties": "late and interrupted jobs",
    "hosting": "hosting income",
    "hosting_payouts": "hosting payouts",
    "shell": "powered shell",
    "starts": "generator starts",
    "stored_change": "stored energy change",
}
"""Statement lines in words."""

POLICY_NAMES: Final = {
    "always-on": "Always on",
    "desk": "Competent desk",
    "rolling": "Rolling re-optimisation",
    "stochastic": "Stochastic water values",
    "bound": "Perfect foresight (bound)",
}


def policy_name(run: PolicyRun) -> str:
    """Name of a run: the policy in words, or the label that makes it a sensitivity."""
    return POLICY_NAMES.get(run.policy, run.policy) if run.is_headline else first_capital(run.label)


def first_capital(words: str) -> str:
    """Start a phrase as a heading does, leaving names such as AI alone."""
    return words[:1].upper() + words[1:]


def money(amount_ccy: float, currency: str) -> str:
    """Whole units of currency: "4,812,330 USD"."""
    return f"{amount_ccy:,.0f} {currency}".replace("-0 ", "0 ")


def signed_money(amount_ccy: float, currency: str) -> str:
    """Whole units with their sign: "+31,200 USD"."""
    return f"{amount_ccy:+,.0f} {currency}".replace("-0 ", "0 ").replace("+0 ", "0 ")


def short_money(amount_ccy: float) -> str:
    """Three figures for a picture's label: "4.81 M", "-312 k", "45"."""
    for size, suffix in ((1e9, " bn"), (1e6, " M"), (1e3, " k")):
        if abs(amount_ccy) >= 0.9995 * size:
            scaled = amount_ccy / size
            digits = max(0, 2 - int(math.log10(max(1.0, abs(scaled)))))
            return f"{scaled:,.{digits}f}{suffix}"
    return f"{amount_ccy:,.0f}"


def price(ccy_per_mwh: float, currency: str) -> str:
    """Price of energy: "58.10 USD/MWh"."""
    return f"{ccy_per_mwh:,.2f} {currency}/MWh"


def energy(energy_mwh: float) -> str:
    """Energy: "1,204 MWh", below 10 with two decimals."""
    return f"{energy_mwh:,.2f} MWh" if abs(energy_mwh) < 10.0 else f"{energy_mwh:,.0f} MWh"


def share(ratio: float | None) -> str:
    """Share in percent, a small one with two decimals; n/a where it has no meaning."""
    if ratio is None:
        return "n/a"
    return f"{100.0 * ratio:,.2f} %" if 0.0 < abs(ratio) < 0.001 else f"{100.0 * ratio:,.1f} %"
