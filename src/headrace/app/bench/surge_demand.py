"""How requests rise in `headrace bench surge`: a step, a ramp, and an hour of single requests that really came."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

__all__ = ["LOW_RATIO", "PEAK_RATIO", "Demand", "ramp", "recorded", "step"]

Demand = Callable[[float], float]
"""Share of what the service can serve at full, by seconds since the peak began."""

LOW_RATIO: Final = 0.2
PEAK_RATIO: Final = 0.9
"""Before and after, as a share of what all servers can serve (assumption)."""
TRACE: Final = "jobs/azure_llm_requests_2023_conv.parquet"
DECODE_S_PER_TOKEN: Final = 0.03
"""A request is worked on for its answer's tokens, 30 ms each (assumption)."""


def step(at_s: float) -> float:
    """All at once."""
    return LOW_RATIO if at_s < 0.0 else PEAK_RATIO


def ramp(at_s: float) -> float:
    """Within ten seconds."""
    return LOW_RATIO + (PEAK_RATIO - LOW_RATIO) * min(max(at_s / 10.0, 0.0), 1.0)


def recorded(data: Path | None, seconds: int) -> Demand | None:
    """The steepest stretch of an hour of single requests to a conversation service; None without the data folder.

    Azure/AzurePublicDataset, AzureLLMInferenceTrace_conv, 2023-11-16, CC BY 4.0: 5.5 requests a second. Each request is
    work in proportion to its tokens, spread over the time of its answer, in steps of a second; the stretch that begins
    where work rises most within five seconds is scaled so that its peak is `PEAK_RATIO` of the service. So few requests
    vary more than those of a service of this size would.
    """
    path = None if data is None else data / TRACE
    if path is None or not path.exists():
        return None
    frame = pl.read_parquet(path).sort("time_utc")
    at_s = frame["time_utc"].dt.epoch("us").to_numpy() * 1e-6
    at_s = at_s - at_s[0]
    tokens = (frame["input_tokens"] + frame["output_tokens"]).to_numpy().astype(float)
    last_s = at_s + np.maximum(1.0, frame["output_tokens"].to_numpy() * DECODE_S_PER_TOKEN)
    work = np.zeros(int(last_s.max()) + 2)
    for first, last, amount in zip(at_s.astype(int), last_s.astype(int), tokens, strict=True):
        work[first : last + 1] += amount / (last + 1 - first)
    rise = work[35:] - work[30:-5]
    begins = int(np.argmax(rise[: len(rise) - seconds])) + 30
    stretch = work[begins - 30 : begins + seconds]
    scaled = stretch * (PEAK_RATIO / stretch.max())
    return lambda at: float(scaled[min(max(int(at) + 30, 0), len(scaled) - 1)]) if at > -31 else float(scaled[0])
