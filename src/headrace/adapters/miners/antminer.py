"""Antminer's own firmware: CGI pages over HTTP on port 80 behind a digest log-in, JSON both ways.

Sleep is a work mode of the configuration: 0 normal, 1 sleep. `set_miner_conf` wants the whole configuration, so it is
read first, sent back with the mode changed (`miner-mode` on the way in, `bitmain-work-mode` on the way out), and read
again, because the page may answer "OK" and change nothing; only then is it acknowledged. Some firmware takes more
than 20 s to answer: this dialect is for plans, and a feeder's contactor for emergencies. It has modes and no power
limit, and does not tell its power.
Source: pages and keys as public clients describe them (S19 generation: get_miner_conf, set_miner_conf, stats).
"""

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

import msgspec

from headrace.adapters.miners.cgminer import number, objects, text
from headrace.adapters.miners.codec import (
    Acknowledged,
    Credentials,
    Facts,
    MinerStatus,
    Move,
    Refused,
    Say,
    Session,
    SignedIn,
)
from headrace.adapters.miners.exchange import Exchange, Follow, shortened
from headrace.adapters.miners.http import (
    Challenge,
    HttpFraming,
    HttpReply,
    authorization,
    challenge_of,
    http_request,
)
from headrace.control.commands import Action
from headrace.core import BadInput

__all__ = ["Antminer"]

SESSION_LASTS_S: Final = 300
"""How long a server's challenge is used (assumed; a stale one is met again within the conversation)."""
MODES: Final = {Action.STOP: 1, Action.RUN: 0}
HOST: Final = "miner"
"""What is asked for; the web server of the firmware has one site."""
TH_PER: Final = {"TH/S": 1.0, "GH/S": 1e-3, "MH/S": 1e-6}

Read: TypeAlias = Callable[[HttpReply], Move | Follow[HttpReply]]
ReadPage: TypeAlias = Callable[[Mapping[str, object], bool], Move | Follow[HttpReply]]
"""What a page's JSON means; the second argument says that the connection ends with it."""


class _Login(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What every request of a session is signed with."""

    user: str
    password: str
    challenge: Challenge


class Antminer:
    """Codec of Antminer's own firmware."""

    dialect = "antminer"
    port = 80
    keeps_idle_connections = False

    def sign_in(self, credentials: Credentials, facts: Facts) -> Exchange[HttpReply]:
        """Fetch a challenge and meet it once, so that a wrong password is known before it matters."""

        def read(reply: HttpReply) -> Move | Follow[HttpReply]:
            challenge = challenge_of(reply) if reply.status == 401 else None
            if challenge is None:
                return Refused(reason=f"no digest challenge but HTTP {reply.status}", is_garbled=True)
            login = _Login(user=credentials.user, password=credentials.password, challenge=challenge)
            session = Session(token=msgspec.msgpack.encode(login), expires_s=facts.now_s + SESSION_LASTS_S)
            pages = _Pages(login, facts.nonce)

            def met(again: HttpReply) -> Move:
                if again.status != 200:
                    return Refused(reason=_http_words(again))
                return SignedIn(session=session)

            return pages.follow("GET", "get_system_info", met, is_new=reply.closes)

        return Exchange(http_request("GET", _path("get_system_info"), HOST), HttpFraming, read)

    def command(
        self, action: Action, power_w: int | None, session: Session | None, facts: Facts
    ) -> Exchange[HttpReply]:
        """Set the work mode to sleep or normal and make sure that it took."""
        mode = MODES.get(action)
        if mode is None:
            raise BadInput(f"antminer miner, {action}", "it has work modes and no power limit", "Leave `least_mw` out.")
        pages = _Pages(_login(session), facts.nonce)

        def read_conf(conf: Mapping[str, object], closes: bool) -> Move | Follow[HttpReply]:
            before = conf.get("bitmain-work-mode")
            if before is None:
                return Refused(reason="its configuration has no work mode: firmware without sleep")
            wanted: object = str(mode) if isinstance(before, str) else mode
            body = msgspec.json.encode({**conf, "miner-mode": wanted})
            return pages.follow("POST", "set_miner_conf", pages.page(read_set), body=body, is_new=closes)

        def read_set(said: Mapping[str, object], closes: bool) -> Move | Follow[HttpReply]:
            if said.get("stats") == "error" or text(said, "code").startswith("E"):
                return Refused(reason=shortened(said.get("msg", "error without words")))
            return pages.follow("GET", "get_miner_conf", pages.page(read_back), is_new=closes)

        def read_back(conf: Mapping[str, object], closes: bool) -> Move:
            found = conf.get("bitmain-work-mode")
            if str(found) == str(mode):
                return Acknowledged()
            return Refused(reason=f"it answered but its work mode is {shortened(str(found))}, not {mode}")

        return pages.exchange("get_miner_conf", read_conf)

    def status(self, session: Session | None, facts: Facts) -> Exchange[HttpReply]:
        """Ask for hash rate and temperatures; this firmware does not tell its power."""
        pages = _Pages(_login(session), facts.nonce)
        return pages.exchange("stats", lambda page, closes: _read_status(page))


class _Pages:
    """Signed requests of one conversation: each counts, and one stale challenge is met again."""

    def __init__(self, login: _Login, client_nonce: str) -> None:
        self._login = login
        self._client_nonce = client_nonce
        self._count = 0
        self._renewed = False
        self._last: tuple[str, str, bytes] = ("GET", "", b"")

    def exchange(self, page: str, read: ReadPage) -> Exchange[HttpReply]:
        """A conversation that begins with a page."""
        return Exchange(self._signed("GET", page, b""), HttpFraming, self.page(read))

    def follow(self, method: str, page: str, read: Read, *, body: bytes = b"", is_new: bool) -> Follow[HttpReply]:
        """Another request."""
        return Follow(say=Say(data=self._signed(method, page, body), on_new_connection=is_new), read=read)

    def page(self, read: ReadPage) -> Read:
        """Read an answer that should be a page of JSON."""

        def whole(reply: HttpReply) -> Move | Follow[HttpReply]:
            if reply.status == 401:
                return self._again(reply, whole)
            if reply.status != 200:
                return Refused(reason=_http_words(reply))
            try:
                found = msgspec.json.decode(reply.body, type=dict[str, object])
            except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
                return Refused(reason="its page is no JSON object", is_garbled=True)
            return read(found, reply.closes)

        return whole

    def _again(self, reply: HttpReply, read: Read) -> Move | Follow[HttpReply]:
        challenge = challenge_of(reply)
        if challenge is None or self._renewed:
            return Refused(reason="log-in refused", needs_sign_in=True)
        self._renewed = True
        self._count = 0
        self._login = msgspec.structs.replace(self._login, challenge=challenge)
        method, page, body = self._last
        return self.follow(method, page, read, body=body, is_new=reply.closes)

    def _signed(self, method: str, page: str, body: bytes) -> bytes:
        self._last = (method, page, body)
        self._count += 1
        login = authorization(
            self._login.challenge,
            user=self._login.user,
            password=self._login.password,
            method=method,
            path=_path(page),
            client_nonce=self._client_nonce,
            count=self._count,
        )
        return http_request(method, _path(page), HOST, body=body, login=login)


def _path(page: str) -> str:
    return f"/cgi-bin/{page}.cgi"


def _login(session: Session | None) -> _Login:
    if session is None:
        raise BadInput("antminer miner", "no session", "Sign in first.")
    return msgspec.msgpack.decode(session.token, type=_Login)


def _http_words(reply: HttpReply) -> str:
    return "log-in refused" if reply.status == 401 else f"HTTP {reply.status}"


def _read_status(page: Mapping[str, object]) -> Move:
    rows = objects(page.get("STATS"))
    if not rows:
        return Refused(reason="no STATS in its page", is_garbled=True)
    info = objects(page.get("INFO"))
    rate = number(rows[0], "rate_5s", "rate_avg")
    per_th = TH_PER.get(text(rows[0], "rate_unit").upper() or "GH/S")
    hashrate_ths = None if rate is None or per_th is None else rate * per_th
    return MinerStatus(
        model=text(info[0], "type") if info else "",
        firmware=text(info[0], "miner_version") if info else "",
        is_mining=None if hashrate_ths is None else hashrate_ths > 0.0,
        hashrate_ths=hashrate_ths,
        temp_c=max(_chip_temps_c(rows[0]), default=None),
    )


def _chip_temps_c(row: Mapping[str, object]) -> list[float]:
    found = []
    for board in objects(row.get("chain")):
        chips = board.get("temp_chip")
        named = {str(place): value for place, value in enumerate(chips)} if isinstance(chips, list) else {}
        found += [temp_c for place in named if (temp_c := number(named, place)) is not None]
    return found
