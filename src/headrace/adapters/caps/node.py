"""A node's power cap as limits on its accelerators: what the rest of the node draws is taken off first."""

from collections.abc import Awaitable, Callable

from headrace.control.ports import Caps

__all__ = ["node_power_cap"]


def node_power_cap(caps: Caps, *, rest_w: int) -> Callable[[int | None], Awaitable[str]]:
    """Make a cap for the node's agent: W at the node's supply, None to lift it; it says why not, empty if it is done.

    Parameters
    ----------
    caps
        The node's accelerators; each gets the same share.
    rest_w
        What the node draws beside them at full (processors, fans, network), W.
    """

    async def cap(node_w: int | None) -> str:
        states = await caps.states()
        units = [state.unit for state in states if not state.reason]
        if len(units) < len(states) or not units:
            return next((state.reason for state in states if state.reason), "it has no accelerators")
        share_w = None if node_w is None else (node_w - rest_w) // len(units)
        outcomes = await caps.limit_power(dict.fromkeys(units, share_w))
        return "; ".join(f"{outcome.unit}: {outcome.reason}" for outcome in outcomes if not outcome.is_in_force)

    return cap
