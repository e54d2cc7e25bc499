"""Antminer's own firmware from the device's side: CGI pages behind a digest log-in.

It behaves like the worst of its kind in one way: a machine whose manner is to lie answers "OK" to a new configuration
and keeps the old one, which a client only learns by reading it back.
"""

import hashlib
import re
from typing import Final

import msgspec

from headrace.sim.miners import web
from headrace.sim.miners.model import MinerModel
from headrace.sim.miners.twin import Asked, Request

__all__ = ["PASSWORD", "USER", "AntminerTwin"]

USER: Final = "root"
PASSWORD: Final = "root"  # of a simulated machine
REALM: Final = "antMiner Configuration"
MODEL: Final = "Antminer S19 Pro"
FIRMWARE: Final = "uart_trans.1.3"
POOLS: Final = tuple({"url": f"stratum+tcp://pool{i}.example:3333", "user": "site.1", "pass": "x"} for i in range(3))

_NAME = re.compile(r"/cgi-bin/(\w+)\.cgi")
_FIELD = re.compile(r'(\w+)="?([^",]*)"?')
_SAVED = b'{"stats":"success","code":"M000","msg":"OK!"}'
_REFUSED = b'{"stats":"error","code":"E003","msg":"Illegal value"}'


class AntminerTwin:
    """One machine under its maker's firmware."""

    __slots__ = ("_challenge",)
    survives_restart = True

    def __init__(self) -> None:
        self._challenge = 1

    def take(self, data: bytes, model: MinerModel, now_s: float) -> tuple[Request, int] | None:
        """Read one request."""
        found = web.request_of(data)
        if found is None:
            return None
        request, length = found
        return self._page(request), length

    def answer(self, request: Request, model: MinerModel, now_s: float) -> bytes:
        """Answer a page about the machine."""
        match request.words:
            case "get_miner_conf":
                conf = {"pools": POOLS, "api-listen": True, "bitmain-fan-ctrl": False, "bitmain-fan-pwm": "100"}
                conf |= {"bitmain-freq-level": "100", "bitmain-work-mode": "1" if model.is_asleep else "0"}
                return _json(conf)
            case "get_system_info":
                return _json({"minertype": MODEL, "hostname": "antminer", "Algorithm": "sha256d"})
            case "stats" | "summary":
                ghs = model.hashrate_ths(now_s) * 1e3
                chip_c = round(30.0 + 40.0 * model.hashrate_ths(now_s) / model.hashrate_full_ths)
                info = {"miner_version": FIRMWARE, "CompileTime": "", "type": MODEL}
                chain = [{"index": board, "temp_chip": [chip_c - 4, chip_c]} for board in range(3)]
                row = {"elapsed": round(now_s), "rate_5s": ghs, "rate_avg": ghs, "rate_unit": "GH/s", "chain": chain}
                return _json({"STATUS": {"STATUS": "S"}, "INFO": info, request.words.upper(): [row]})
            case _:
                return web.answer(404, b"Not Found")

    def expire(self) -> None:
        """Change the challenge, as its age does."""
        self._challenge += 1

    def _page(self, request: web.WebRequest) -> Request:
        path = request.path
        if not self._is_let_in(request.headers.get("authorization", ""), request.method, path):
            challenge = f'Digest realm="{REALM}", nonce="{self._nonce}", qop="auth"'
            return _else(web.answer(401, b"", f"WWW-Authenticate: {challenge}\r\n"))
        named = _NAME.fullmatch(path)
        if named is None or named[1] != "set_miner_conf":
            return _else(b"", words=named[1] if named else path)
        try:
            conf = msgspec.json.decode(request.body, type=dict[str, object])
        except msgspec.DecodeError:
            return _else(web.answer(200, _REFUSED))
        if len(conf.get("pools") or ()) != len(POOLS):  # type: ignore[arg-type]  # what a client sent
            return _else(web.answer(200, _REFUSED))
        asked = Asked.SLEEP if str(conf.get("miner-mode")) == "1" else Asked.WAKE
        return Request(asked=asked, answer=web.answer(200, _SAVED), refusal=web.answer(200, _REFUSED), closes=False)

    @property
    def _nonce(self) -> str:
        return f"{self._challenge:032x}"

    def _is_let_in(self, words: str, method: str, path: str) -> bool:
        found = dict(_FIELD.findall(words.removeprefix("Digest ")))
        if found.get("nonce") != self._nonce or found.get("username") != USER:
            return False
        secret = _md5(f"{USER}:{REALM}:{PASSWORD}")
        parts = (secret, self._nonce, found.get("nc", ""), found.get("cnonce", ""), "auth", _md5(f"{method}:{path}"))
        return found.get("response") == _md5(":".join(parts))


def _md5(words: str) -> str:
    return hashlib.md5(words.encode(), usedforsecurity=False).hexdigest()


def _else(answer: bytes, words: str = "") -> Request:
    return Request(asked=Asked.ELSE, answer=answer, refusal=b"", words=words, closes=False)


def _json(page: object) -> bytes:
    return web.answer(200, msgspec.json.encode(page))
