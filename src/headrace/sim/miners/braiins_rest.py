"""Braiins OS from the device's side: its public REST API with tokens and a power target."""

from typing import Final

import msgspec

from headrace.sim.miners import web
from headrace.sim.miners.model import MinerModel
from headrace.sim.miners.twin import Asked, Request

__all__ = ["PASSWORD", "USER", "BraiinsRestTwin"]

USER: Final = "root"
PASSWORD: Final = "root"  # of a simulated machine
TOKEN_LASTS_S: Final = 3600.0
REFUSAL: Final = web.answer(500, b'{"message":"Internal error"}')


class BraiinsRestTwin:
    """One machine under Braiins OS."""

    __slots__ = ("_count", "_since_s")
    survives_restart = False

    def __init__(self) -> None:
        self._count = 0
        self._since_s = -TOKEN_LASTS_S

    def take(self, data: bytes, model: MinerModel, now_s: float) -> tuple[Request, int] | None:
        """Read one request."""
        found = web.request_of(data)
        if found is None:
            return None
        request, length = found
        return self._request(request, now_s), length

    def answer(self, request: Request, model: MinerModel, now_s: float) -> bytes:
        """Answer a page about the machine."""
        ghs = model.hashrate_ths(now_s) * 1e3
        match request.words:
            case "/api/v1/miner/stats":
                rates = {span: {"gigahash_per_second": ghs} for span in ("last_5s", "last_1m")}
                power = {"approximated_consumption": {"watt": round(model.power_w(now_s))}}
                page: object = {"miner_stats": {"real_hashrate": rates}, "power_stats": power}
            case "/api/v1/miner/details":
                name = {"name": "Antminer S19j Pro"}
                page = {
                    "status": 3 if model.is_asleep else 2,
                    "miner_identity": name,
                    "bos_version": {"current": "26.08"},
                }
            case _:
                return web.answer(404, b"")
        return web.answer(200, msgspec.json.encode(page))

    def expire(self) -> None:
        """End the token."""
        self._since_s = -TOKEN_LASTS_S

    def _request(self, request: web.WebRequest, now_s: float) -> Request:
        if (request.method, request.path) == ("POST", "/api/v1/auth/login"):
            return _else(self._token(request.body, now_s))
        is_current = now_s - self._since_s <= TOKEN_LASTS_S
        if not is_current or request.headers.get("authorization") != self._name:
            return _else(web.answer(401, b'{"message":"Unauthorized"}'))
        if request.method == "GET":
            return _else(b"", words=request.path)
        return _put(request)

    @property
    def _name(self) -> str:
        return f"tok{self._count:06d}"

    def _token(self, body: bytes, now_s: float) -> bytes:
        if _object(body) != {"username": USER, "password": PASSWORD}:
            return web.answer(401, b'{"message":"Invalid credentials"}')
        self._count += 1
        self._since_s = now_s
        return web.answer(200, msgspec.json.encode({"token": self._name, "timeout_s": round(TOKEN_LASTS_S)}))


def _object(body: bytes) -> dict[str, object]:
    try:
        return msgspec.json.decode(body, type=dict[str, object])
    except msgspec.DecodeError:
        return {}


def _put(request: web.WebRequest) -> Request:
    match request.path:
        case "/api/v1/actions/pause":
            return _moving(Asked.SLEEP, b"false")
        case "/api/v1/actions/resume":
            return _moving(Asked.WAKE, b"false")
        case "/api/v1/performance/power-target":
            return _limited(request.body)
        case _:
            return _else(web.answer(404, b""))


def _limited(body: bytes) -> Request:
    watt = _object(body).get("watt")
    if not isinstance(watt, int):
        return _else(web.answer(422, b'{"message":"watt is missing"}'))
    return _moving(Asked.LIMIT, body, float(watt))


def _else(answer: bytes, words: str = "") -> Request:
    return Request(asked=Asked.ELSE, answer=answer, refusal=b"", words=words, closes=False)


def _moving(asked: Asked, body: bytes, limit_w: float = 0.0) -> Request:
    return Request(asked=asked, answer=web.answer(200, body), refusal=REFUSAL, limit_w=limit_w, closes=False)
