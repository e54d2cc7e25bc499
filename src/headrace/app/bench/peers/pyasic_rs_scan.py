"""The peer that finds miners by pyasic-rs, run as a module in a process of its own.

Takes a network and writes the seconds of its scan, as it comes, and the miners found.
"""

import asyncio
import sys
import time

__all__ = ["main"]


async def scan(network: str) -> int:
    """Miners found in a network."""
    import pyasic_rs

    return len(await pyasic_rs.MinerFactory.from_subnet(network).scan())


def main() -> None:
    """Scan once."""
    begun_s = time.perf_counter()
    found = asyncio.run(scan(sys.argv[1]))
    sys.stdout.write(f"{time.perf_counter() - begun_s} {found}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
