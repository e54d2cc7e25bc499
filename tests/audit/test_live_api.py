"""The operator's door under people who would keep the operator out of it, over real sockets."""

import asyncio
import socket
from pathlib import Path

import pytest

pytest.importorskip("uvicorn", reason="the API's packages are not installed")

from headrace.app import operator_desk
from headrace.app.operator_desk import ApiServer, SiteDesk
from headrace.interfaces.operator.access import Rank, new_token
from live_cases import Campus


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


async def ask(port: int, token: str) -> int:
    """Status of a request for the site's status."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        f"GET /v1/status HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n".encode()
    )
    line = await reader.readline()
    writer.close()
    return int(line.split()[1]) if line else 0


@pytest.fixture
def served(tmp_path: Path):
    campus = Campus(tmp_path / "live.jsonl")
    token, line = new_token("op", Rank.OPERATOR)
    port = free_port()

    async def serve(body):
        site, _ = campus.engine()
        desk = SiteDesk(site, campus.clock.now_us)
        server = ApiServer(desk, line, tmp_path / "audit.jsonl", host="127.0.0.1", port=port, allow_remote=False)
        await server.start()
        try:
            return await body(port, token)
        finally:
            await server.stop()

    return lambda body: asyncio.run(serve(body))


def test_whoever_guesses_keeps_nobody_with_a_token_out(served) -> None:
    async def guess(port: int, token: str) -> tuple[list[int], int]:
        return [await ask(port, f"hr_{n}") for n in range(12)], await ask(port, token)

    guesses, own = served(guess)
    assert guesses == [401] * 10 + [429] * 2
    assert own == 200


@pytest.mark.parametrize(
    "said",
    [b"", b"GET /v1/status HTTP/1.1\r\nHost:", b"POST /v1/orders HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n{"],
    ids=["nothing", "half a head", "half a body"],
)
def test_slow_peers_keep_nobody_out_for_long(served, monkeypatch: pytest.MonkeyPatch, said: bytes) -> None:
    monkeypatch.setattr(operator_desk, "REQUEST_MAX_S", 0.4)

    async def crowd(port: int, token: str) -> int:
        slow = [await asyncio.open_connection("127.0.0.1", port) for _ in range(100)]
        for _, writer in slow:
            writer.write(said)
        async with asyncio.timeout(10):
            await asyncio.gather(
                *(reader.read() for reader, _ in slow), return_exceptions=True
            )  # until they are hung up on
        return await ask(port, token)

    assert served(crowd) == 200
