"""The one thing here that opens a socket: bounded in time, size, tries and in whom it talks to.

It stands on urllib of the standard library. A few dozen GETs an hour to five hosts need no connection pool, no HTTP/2
and no event loop; what they need (limits, patience, discretion) is this page, and costs no dependency. Over it,

- only https, only the hosts that were named, no redirect;
- a reply larger than the limit is refused unread, a try longer than the timeout given up;
- 429, 5xx and broken connections are tried again a bounded number of times, after the operator's `Retry-After` or a
  doubling wait;
- requests to one host are spaced by the operator's published limit;
- no secret and no query with a secret reaches a message: `Request.shown` is all that is told.
"""

import json
import ssl
import time
from collections.abc import Callable, Mapping
from http.client import HTTPException, HTTPMessage
from typing import IO, ClassVar, Final, Protocol
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, HTTPSHandler, OpenerDirector, build_opener
from urllib.request import Request as HttpRequest

import msgspec

from headrace import __version__
from headrace.adapters.feeds.live.request import Request, SignIn
from headrace.core import BadInput, ExitCode, HeadraceError

__all__ = ["HttpTransport", "Limits", "Transport", "Unreachable"]

AGENT: Final = f"headrace/{__version__}"
"""Who asks: some operators turn nameless programs away."""
TOKEN_REPLY_MAX_BYTES: Final = 100_000
RETRIED: Final = frozenset({429, 500, 502, 503, 504})
EXPLAINED: Final = 400
"""The operator says in the body what it does not have or understand: the market's own module reads that."""
MESSAGE_CHARS: Final = 200
"""How much of an operator's own words goes into a message."""


class Unreachable(HeadraceError):
    """An operator did not answer, or does not have it yet: nothing to correct, try again later.

    Parameters
    ----------
    what
        Request as shown.
    found
        What happened.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.STALE

    def __init__(self, what: str, found: str) -> None:
        super().__init__(f"{what}: {found}. Check the network, or run the same command later: what is fetched is kept")
        self.what = what
        self.found = found


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What one request may cost."""

    timeout_s: float = 60.0
    """Longest wait for the connection, and between two pieces of a reply, seconds."""
    reply_max_bytes: int = 64_000_000
    """Largest reply; a month of all NYISO zones at five minutes is 1 MB zipped."""
    tries: int = 4
    """How often a request is sent before it is given up."""
    first_wait_s: float = 2.0
    """Wait before the second try, seconds; it doubles with each."""
    wait_max_s: float = 120.0
    """Longest wait before a try, seconds, whatever the operator asks for."""


class Transport(Protocol):
    """Whatever answers a request: the network, or recorded replies."""

    def fetch(self, request: Request) -> bytes:
        """Body of the reply.

        Raises
        ------
        headrace.core.BadInput
            If a secret is missing or refused, or the reply is too large.
        Unreachable
            If there is no answer after all tries, or the operator does not have it.
        """
        ...


class HttpTransport:
    """Requests over https.

    Parameters
    ----------
    pauses_s
        Hosts that may be asked, each with the pause between two requests, seconds.
    secrets
        Where environment variables are looked up.
    limits
        What one request may cost.
    opener
        Opens a request; None makes one that checks certificates and follows no redirect.
    sleep
        Waits so many seconds.
    """

    def __init__(
        self,
        pauses_s: Mapping[str, float],
        secrets: Mapping[str, str],
        limits: Limits | None = None,
        opener: OpenerDirector | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._pauses_s = pauses_s
        self._secrets = secrets
        self._limits = limits or Limits()
        self._opener = opener or build_opener(HTTPSHandler(context=ssl.create_default_context()), _NoRedirect)
        self._sleep = sleep
        self._asked: set[str] = set()
        self._tokens: dict[str, str] = {}

    def fetch(self, request: Request) -> bytes:
        """Body of the reply; see `Transport`."""
        self.check_secrets(request)
        try:
            return self._send(request.shown(), self._http(request), self._limits.reply_max_bytes)
        except _Denied as denied:
            if request.sign_in is None or request.sign_in.url not in self._tokens:
                raise self._refused(request, denied) from denied
            del self._tokens[request.sign_in.url]
        try:  # a token lasts an hour: sign in once more
            return self._send(request.shown(), self._http(request), self._limits.reply_max_bytes)
        except _Denied as denied:
            raise self._refused(request, denied) from denied

    def check_secrets(self, request: Request) -> None:
        """Refuse a request whose secrets are not there, before anything is sent.

        Raises
        ------
        headrace.core.BadInput
            Naming the variables to set.
        """
        missing = [variable for variable in request.variables if not self._secrets.get(variable)]
        if missing:
            raise BadInput(
                request.shown(),
                f"{', '.join(missing)} not set in the environment",
                "Register with the operator (docs/guides/live-feeds.md says where) and export what it gives you",
            )

    def _http(self, request: Request) -> HttpRequest:
        secret = [(key, self._secrets[variable]) for key, variable in request.secret_params]
        query = urlencode([*request.params, *secret])
        headers = {key: self._secrets[variable] for key, variable in request.secret_headers}
        headers["User-Agent"] = AGENT
        if request.sign_in:
            headers["Authorization"] = f"Bearer {self._token(request.sign_in)}"
        return HttpRequest(f"{request.url}?{query}" if query else request.url, headers=headers)

    def _token(self, sign_in: SignIn) -> str:
        if sign_in.url not in self._tokens:
            secret = [(key, self._secrets[variable]) for key, variable in sign_in.secret_form]
            form = urlencode([*sign_in.form, *secret]).encode()
            try:
                body = self._send(
                    sign_in.url,
                    HttpRequest(sign_in.url, data=form, headers={"User-Agent": AGENT}),
                    TOKEN_REPLY_MAX_BYTES,
                )
                token = json.loads(body)[sign_in.token_key]
            except (_Denied, ValueError, KeyError, TypeError, RecursionError) as error:
                names = ", ".join(variable for _, variable in sign_in.secret_form)
                raise BadInput(sign_in.url, "the operator gave no token", f"Check {names}") from error
            self._tokens[sign_in.url] = str(token)
        return self._tokens[sign_in.url]

    def _send(self, shown: str, http: HttpRequest, max_bytes: int) -> bytes:
        """Send until there is an answer; every failure leaves as one of the three that `fetch` knows."""
        parts = urlsplit(http.full_url)
        host = parts.hostname or ""
        if parts.scheme != "https" or host not in self._pauses_s:
            raise BadInput(shown, "not https to a known host", f"Hosts that are asked: {', '.join(self._pauses_s)}")
        found, wait_s = "", 0.0
        for attempt in range(self._limits.tries):
            self._sleep(max(wait_s, self._pauses_s[host] if host in self._asked else 0.0))
            self._asked.add(host)
            asked_s = None
            try:
                return self._read(shown, http, max_bytes)
            except HTTPError as error:
                with error:
                    if error.code == EXPLAINED:
                        return error.read(max_bytes)
                    found, asked_s = self._told(error), error.headers.get("Retry-After")
                if error.code in {401, 403}:
                    raise _Denied(found) from None
                if error.code not in RETRIED:
                    raise Unreachable(shown, found) from None
            except (URLError, HTTPException, OSError) as error:
                found = f"no answer ({getattr(error, 'reason', None) or type(error).__name__})"
            wait_s = _wait_s(self._limits, attempt, asked_s)
        raise Unreachable(shown, f"{found}, {self._limits.tries} tries")

    def _read(self, shown: str, http: HttpRequest, max_bytes: int) -> bytes:
        with self._opener.open(http, timeout=self._limits.timeout_s) as reply:
            body: bytes = reply.read(max_bytes + 1)
        if len(body) > max_bytes:
            raise BadInput(shown, f"a reply of more than {max_bytes:,} bytes", "Ask for a shorter period")
        return body

    def _told(self, error: HTTPError) -> str:
        """Status and the beginning of what the operator says, without anything that is secret."""
        try:
            words = " ".join(error.read(TOKEN_REPLY_MAX_BYTES).decode("utf-8", "replace").split())
        except (OSError, HTTPException):
            words = ""
        for secret in (*self._secrets.values(), *self._tokens.values()):
            if len(secret) > 3:
                words = words.replace(secret, "***")
        return f"HTTP {error.code}" + (f", {words[:MESSAGE_CHARS]!r}" if words else "")

    def _refused(self, request: Request, denied: "_Denied") -> BadInput:
        check = f"Check {', '.join(request.variables)}" if request.variables else "Check the series and the period"
        return BadInput(
            request.shown(), f"refused ({denied})", f"{check}; some operators answer their own country only"
        )


class _Denied(Exception):
    """The operator understood and said no (401, 403)."""


class _NoRedirect(HTTPRedirectHandler):
    """A redirect could carry a key to a host that nobody named: it stays the answer, an error."""

    def redirect_request(
        self, req: HttpRequest, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        """Follow none."""


def _wait_s(limits: Limits, attempt: int, asked_s: str | None) -> float:
    """Wait before the next try: what the operator asks for if it says so in seconds, else doubling."""
    own_s = limits.first_wait_s * 2.0**attempt
    return min(limits.wait_max_s, float(asked_s) if asked_s and asked_s.isdecimal() else own_s)
