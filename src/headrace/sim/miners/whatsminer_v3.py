"""WhatsMiner's API 3 from the device's side: length-prefixed JSON, commands signed with a salted hash."""

import base64
import hashlib
from typing import Final

import msgspec

from headrace.sim.miners.model import MinerModel
from headrace.sim.miners.twin import Asked, Request

__all__ = ["ACCOUNT", "PASSWORD", "WhatsMinerV3Twin"]

ACCOUNT: Final = "super"
PASSWORD: Final = "super"  # of a simulated machine
MODEL: Final = "M60S_VK30"
FIRMWARE: Final = "20250312.14.52.REL"
SALTS: Final = ("px5hoXa9", "QbVy1Ou3")

_DECODER = msgspec.json.Decoder(dict[str, object])


class WhatsMinerV3Twin:
    """One WhatsMiner with API 3."""

    __slots__ = ("_salt",)
    survives_restart = False

    def __init__(self) -> None:
        self._salt = 0

    def take(self, data: bytes, model: MinerModel, now_s: float) -> tuple[Request, int] | None:
        """Read one request."""
        length = int.from_bytes(data[:4], "little")
        if len(data) < 4 or len(data) < 4 + length:
            return None
        if length == 0:
            return Request(asked=Asked.ELSE, answer=bytes(4), refusal=b"", closes=False), 4
        try:
            command = _DECODER.decode(data[4 : 4 + length])
        except (msgspec.DecodeError, RecursionError):
            return _else(_framed(-3, "Invalid json item", "")), 4 + length
        return self._request(command), 4 + length

    def answer(self, request: Request, model: MinerModel, now_s: float) -> bytes:
        """Answer a question about the machine."""
        if request.words.startswith("get.miner.status"):
            rate_ths = model.hashrate_ths(now_s)
            row = {"hash-realtime": rate_ths, "hash-1min": rate_ths, "hash-average": rate_ths}
            row |= {"power-realtime": round(model.power_w(now_s)), "power-limit": round(model.limit_w)}
            row |= {"chip-temp-max": 35.0 + 60.0 * rate_ths / model.hashrate_full_ths}
            return _framed(0, {"summary": row}, "get.miner.status")
        if request.words == "get.device.info:salt":
            return _framed(0, {"salt": SALTS[self._salt]}, "get.device.info")
        if request.words.startswith("get.device.info"):
            sections: dict[str, object] = {
                "miner": {"working": str(not model.is_asleep).lower(), "type": MODEL},
                "system": {"api": "3.0.1", "fwversion": FIRMWARE},
                "salt": SALTS[self._salt],
            }
            return _framed(0, sections, "get.device.info")
        return _framed(-2, "Invalid command", request.words)

    def expire(self) -> None:
        """Change the salt, so that frames made before are refused."""
        self._salt = (self._salt + 1) % len(SALTS)

    def _request(self, command: dict[str, object]) -> Request:
        name, param = str(command.get("cmd", "")), command.get("param")
        if not name.startswith("set."):
            return _else(b"", words=f"{name}:{param}" if param else name)
        signed = f"{name}{PASSWORD}{SALTS[self._salt]}{command.get('ts')}".encode()
        token = base64.b64encode(hashlib.sha256(signed).digest())[:8].decode()
        if command.get("account") != ACCOUNT or command.get("token") != token:
            return _else(_framed(-4, "No permission", name))
        match name, param:
            case "set.miner.service", "stop":
                return _moving(Asked.SLEEP, name)
            case "set.miner.service", "start":
                return _moving(Asked.WAKE, name)
            case "set.miner.power_limit", int() as limit if 0 <= limit <= 99999:
                return _moving(Asked.LIMIT, name, float(limit))
            case _:
                return _else(_framed(-3, "Invalid json item", name))


def _framed(code: int, message: object, command: str) -> bytes:
    body = msgspec.json.encode({"code": code, "when": 0, "msg": message, "desc": command})
    return len(body).to_bytes(4, "little") + body


def _else(answer: bytes, words: str = "") -> Request:
    return Request(asked=Asked.ELSE, answer=answer, refusal=b"", words=words, closes=False)


def _moving(asked: Asked, name: str, limit_w: float = 0.0) -> Request:
    refusal = _framed(-1, "Fail", name)
    return Request(asked=asked, answer=_framed(0, "ok", name), refusal=refusal, limit_w=limit_w, closes=False)
