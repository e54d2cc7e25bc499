"""The peer that stops miners by pyasic, run as a module in a process of its own.

Reads one JSON line with the dialect, the addresses and the password, writes `ready`, and at the next line stops all of
them at once as pyasic's own users do, with `gather` over `stop_mining`. Writes the monotonic nanoseconds of its begin.
"""

import asyncio
import json
import logging
import resource
import sys
import time
import warnings
from typing import Any

__all__ = ["main"]


def miners(dialect: str, hosts: list[str], password: str) -> list[Any]:
    """Make pyasic's miners, so that none has to be identified first."""
    from pyasic.miners.backends.braiins_os import BOSMiner
    from pyasic.miners.backends.btminer import BTMinerV2
    from pyasic.miners.backends.luxminer import LUXMiner

    kinds = {"braiins": BOSMiner, "luxos": LUXMiner, "whatsminer-v2": BTMinerV2}
    made = [kinds[dialect](host) for host in hosts]
    if password:
        for miner in made:
            miner.rpc.pwd = password
    return made


async def stop_all(fleet: list[Any]) -> None:
    """Stop all of them; what becomes of each is read from the simulated fleet."""
    await asyncio.gather(*(miner.stop_mining() for miner in fleet), return_exceptions=True)


def main() -> None:
    """Serve one stop."""
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    asked = json.loads(sys.stdin.readline())
    fleet = miners(asked["dialect"], asked["hosts"], asked["password"])
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    sys.stdout.write(f"{time.monotonic_ns()}\n")
    sys.stdout.flush()
    asyncio.run(stop_all(fleet))


if __name__ == "__main__":
    main()
