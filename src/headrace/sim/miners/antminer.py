"""Antminer's own firmware from the device's side: CGI pages behind a digest log-in.

It behaves like the worst of its kind in one way: a machine whose manner is to lie answers "OK" to a new configuration
and keeps the old one, which a client only learns by reading it back.
"""

import hashlib
import re
from typing import Final

import msgspec

from headrace.sim.miners.model import MinerModel
from headrace.sim.miners.twin import Asked, Request

__all__ = ["PASSWORD", "USER", "AntminerTwin"]

USER: Final = "root"
PASSWORD: Final = "root"  # of a simulated machine
REALM: Final = "antMiner Configuration"
MODEL: Final = "Antminer S19 Pro"
FIRMWARE: Final = "uart_trans.1.3"
POOLS: Final = tuple({"url": f"stratum+tcp://pool{i}.example:3333", "user": "site.1", "pass": "x"} for i in range(3))

_PAGE = re.compile(rb"(GET|POST) (/\S*) HTTP/1\.1\r\n")
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
        head, found, rest = data.partition(b"\r\n\r\n")
        if not found:
            return None
        fields = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(":") for line in head.decode("latin-1").split("\r\n")[1:])
        }
        length = int(fields.get("content-length", "0"))
        if len(rest) < length:
            return None
        page = _PAGE.match(head + b"\r\n")
        request = _else(_http(404, b"Not Found")) if page is None else self._page(page, fields, rest[:length])
        return request, len(head) + 4 + length

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
                return _http(404, b"Not Found")

    def expire(self) -> None:
        """Change the challenge, as its age does."""
        self._challenge += 1

    def _page(self, page: re.Match[bytes], fields: dict[str, str], body: bytes) -> Request:
        method, path = page[1].decode(), page[2].decode("latin-1")
        if not self._is_let_in(fields.get("authorization", ""), method, path):
            challenge = f'Digest realm="{REALM}", nonce="{self._nonce}", qop="auth"'
            return _else(_http(401, b"", f"WWW-Authenticate: {challenge}\r\n"))
        named = _NAME.fullmatch(path)
        if named is None or named[1] != "set_miner_conf":
            return _else(b"", words=named[1] if named else path)
        try:
            conf = msgspec.json.decode(body, type=dict[str, object])
        except msgspec.DecodeError:
            return _else(_http(200, _REFUSED))
        if len(conf.get("pools") or ()) != len(POOLS):  # type: ignore[arg-type]  # what a client sent
            return _else(_http(200, _REFUSED))
        asked = Asked.SLEEP if str(conf.get("miner-mode")) == "1" else Asked.WAKE
        return Request(asked=asked, answer=_http(200, _SAVED), refusal=_http(200, _REFUSED), closes=False)

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
    return _http(200, msgspec.json.encode(page))


def _http(status: int, body: bytes, headers: str = "") -> bytes:
    head = f"HTTP/1.1 {status} Said\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
    return head.encode() + body
