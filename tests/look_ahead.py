"""What tests of foresight share: a policy's journal lines, and a series made different where it could not be known."""

import msgspec
import numpy as np

from headrace.app.replaying import Variant, _campus, _policy
from headrace.engine.journal import JournalHeader
from headrace.engine.replay import run_policy
from headrace.engine.truth import truth_of


def records_of(variant: Variant, policy: str) -> list[bytes]:
    header = JournalHeader(
        kind="backtest", site="", policy=policy, period="", config_digest="", input_digest="", versions={}
    )
    records = run_policy(
        variant.model,
        variant.inputs,
        variant.truth,
        _policy(policy, variant),
        lambda stored_mwh, jobs: _campus(variant, stored_mwh, jobs),
        journal=None,
        header=header,
        resume=False,
        tick=lambda _done, _total: None,
    )
    return [msgspec.json.encode(record) for record in records]


def otherwise(series, noon_s: int):
    """The same series with every value about noon and later, and not known by noon, as different as it may be."""
    if series is None:
        return None
    starts_s = series.start_s + np.arange(len(series)) * series.step_s
    open_ = (starts_s >= noon_s) & (series.known_s > noon_s)
    assert open_.any() or series.step_s == 86_400
    return msgspec.structs.replace(series, values=np.where(open_, series.values * 1.7 + 0.01, series.values))


def planted(base: Variant, noon_s: int) -> Variant:
    """The same site in a world that is another from noon on, in every series."""
    inputs = msgspec.structs.replace(
        base.inputs,
        **{
            name: otherwise(getattr(base.inputs, name), noon_s)
            for name in base.inputs.__struct_fields__
            if name not in {"profiles", "further"}
        },
        profiles={role: otherwise(series, noon_s) for role, series in base.inputs.profiles.items()},
        further={role: otherwise(series, noon_s) for role, series in base.inputs.further.items()},
    )
    return msgspec.structs.replace(base, inputs=inputs, truth=truth_of(base.model, inputs, base.truth.window))
