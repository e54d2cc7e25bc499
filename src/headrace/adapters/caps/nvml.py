"""Power limits and clocks through NVML, on the node that holds the accelerators.

NVML blocks, and a lost accelerator can block it for long: one thread of its own makes every call, and a call that does
not return in time is reported and waited for no longer. Limits need root and are gone after a reboot.
"""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from headrace.control.caps import CapOutcome, CapState

__all__ = ["NvmlCaps"]

CALL_S: Final = 5.0
"""Longest that one round over all accelerators may take, seconds."""


class NvmlCaps:
    """The accelerators of this node, by their UUID.

    Parameters
    ----------
    now_us
        The site's clock, epoch microseconds.
    call_s
        Longest wait for a round over all accelerators, seconds.
    """

    name = "nvml"

    def __init__(self, *, now_us: Callable[[], int], call_s: float = CALL_S) -> None:
        self._now_us = now_us
        self._call_s = call_s
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="nvml")
        self._nvml: Any = None
        self._handles: dict[str, Any] = {}
        self._locked_mhz: dict[str, int] = {}
        self._busy: asyncio.Future[Any] | None = None

    async def states(self) -> tuple[CapState, ...]:
        """Every accelerator's limits and power."""
        done, why = await self._run(self._read_all)
        return tuple(done) if why == "" else (CapState(unit="nvml", at_us=self._now_us(), reason=why),)

    async def limit_power(self, limits_w: Mapping[str, int | None]) -> tuple[CapOutcome, ...]:
        """Limit accelerators to so many W, None to their default."""
        return await self._each(limits_w, self._limit)

    async def lock_clock(self, clocks_mhz: Mapping[str, int | None]) -> tuple[CapOutcome, ...]:
        """Hold accelerators to at most so many MHz, None sets them free."""
        return await self._each(clocks_mhz, self._lock)

    async def close(self) -> None:
        """End the thread once it is free."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _each(
        self, wanted: Mapping[str, int | None], act: Callable[[str, int | None], str]
    ) -> tuple[CapOutcome, ...]:
        def all_of_them() -> list[str]:
            self._open()
            return [self._tried(act, unit, value) for unit, value in wanted.items()]

        done, why = await self._run(all_of_them)
        at_us = self._now_us()
        reasons = done if why == "" else [why] * len(wanted)
        return tuple(
            CapOutcome(unit=unit, is_in_force=reason == "", at_us=at_us, reason=reason)
            for unit, reason in zip(wanted, reasons, strict=True)
        )

    async def _run(self, work: Callable[[], list[Any]]) -> tuple[list[Any], str]:
        """The result, and why there is none: NVML's words, or that it did not return in time."""
        if self._busy is not None and not self._busy.done():
            return [], "an earlier call has not returned"
        self._busy = asyncio.get_running_loop().run_in_executor(self._thread, self._guarded, work)
        try:
            return await asyncio.wait_for(asyncio.shield(self._busy), self._call_s)
        except TimeoutError:
            return [], f"no return within {self._call_s:g} s"

    def _guarded(self, work: Callable[[], list[Any]]) -> tuple[list[Any], str]:
        try:
            return work(), ""
        except ImportError:
            return [], "nvidia-ml-py is missing: pip install 'headrace[live]'"
        except Exception as error:  # noqa: BLE001 NVML has an exception class per code
            return [], str(error)[:200]

    def _open(self) -> Any:  # noqa: ANN401 pynvml is an extra
        if self._nvml is None:
            import pynvml  # noqa: PLC0415

            pynvml.nvmlInit()
            for index in range(pynvml.nvmlDeviceGetCount()):
                handle = pynvml.nvmlDeviceGetHandleByIndex(index)
                uuid = pynvml.nvmlDeviceGetUUID(handle)
                self._handles[uuid.decode() if isinstance(uuid, bytes) else uuid] = handle
            self._nvml = pynvml
        return self._nvml

    def _read_all(self) -> list[CapState]:
        nvml = self._open()
        return [self._read(nvml, unit, handle) for unit, handle in self._handles.items()]

    def _read(self, nvml: Any, unit: str, handle: Any) -> CapState:  # noqa: ANN401
        at_us = self._now_us()
        try:
            least_milliwatt, most_milliwatt = nvml.nvmlDeviceGetPowerManagementLimitConstraints(handle)
            return CapState(
                unit=unit,
                at_us=at_us,
                limit_w=nvml.nvmlDeviceGetPowerManagementLimit(handle) // 1000,
                least_w=-(-least_milliwatt // 1000),
                most_w=most_milliwatt // 1000,
                power_w=nvml.nvmlDeviceGetPowerUsage(handle) // 1000,
                clock_max_mhz=self._locked_mhz.get(unit),
            )
        except nvml.NVMLError as error:
            return CapState(unit=unit, at_us=at_us, reason=str(error)[:200])

    def _tried(self, act: Callable[[str, int | None], str], unit: str, value: int | None) -> str:
        if unit not in self._handles:
            return "no such accelerator"
        try:
            return act(unit, value)
        except self._nvml.NVMLError as error:
            return str(error)[:200] or type(error).__name__

    def _limit(self, unit: str, limit_w: int | None) -> str:
        nvml, handle = self._nvml, self._handles[unit]
        least_milliwatt, most_milliwatt = nvml.nvmlDeviceGetPowerManagementLimitConstraints(handle)
        wanted = most_milliwatt if limit_w is None else limit_w * 1000
        if not least_milliwatt <= wanted <= most_milliwatt:
            return f"takes {-(-least_milliwatt // 1000)} to {most_milliwatt // 1000} W, asked for {limit_w} W"
        nvml.nvmlDeviceSetPowerManagementLimit(handle, wanted)
        in_force = nvml.nvmlDeviceGetPowerManagementLimit(handle)
        return "" if in_force == wanted else f"{in_force // 1000} W in force after asking for {wanted // 1000} W"

    def _lock(self, unit: str, clock_mhz: int | None) -> str:
        nvml, handle = self._nvml, self._handles[unit]
        if clock_mhz is None:
            nvml.nvmlDeviceResetGpuLockedClocks(handle)
            self._locked_mhz.pop(unit, None)
        else:
            nvml.nvmlDeviceSetGpuLockedClocks(handle, 0, clock_mhz)
            self._locked_mhz[unit] = clock_mhz  # NVML has no call that reads a lock back
        return ""
