"""The event loop that live benches run on."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

__all__ = ["on_fast_loop"]

T = TypeVar("T")


def on_fast_loop(work: Coroutine[Any, Any, T]) -> T:
    """Run on uvloop where it is installed, as the live site does."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(work)
    return uvloop.run(work)
