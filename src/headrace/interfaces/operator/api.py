"""The operator's API over HTTP: read with any role, move power as an operator, twice said unless told otherwise.

Everything but `/healthz` needs a bearer token. Requests are small, counted and bounded; every one that changes
something, or that was refused, is in the audit file before the answer leaves.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, Final, Literal

import msgspec
from fastapi import Depends, FastAPI, Header, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field

from headrace.control.orders import Authority, LockOut, Order, OrderKind
from headrace.interfaces.operator.access import Access, Person, Rank
from headrace.interfaces.operator.audit import Audit, AuditLine
from headrace.interfaces.operator.confirm import GOOD_FOR_S, Confirmations
from headrace.interfaces.operator.desk import Desk, Receipt
from headrace.interfaces.operator.limits import Limiter

__all__ = ["BODY_MAX_BYTES", "operator_api"]

BODY_MAX_BYTES: Final = 16_384
"""Longest request that is read."""
TRIES: Final = 20
"""Requests of one person at once ..."""
TRIES_PER_S: Final = 5.0
"""... and per second after that."""
GUESSES: Final = 10
"""Unknown tokens from one address at once ..."""
GUESSES_PER_S: Final = 0.1
"""... and per second after that."""
MW_MAX: Final = 10_000.0
"""More than any site draws."""

AskedAs = Literal["safety", "grid", "site", "voluntary"]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class OrderBody(_Body):
    """An order as somebody types it."""

    id: Annotated[str, Field(pattern=r"^[\w.-]{1,64}$")]
    """Made by the client: the same id twice is the same order."""
    kind: Literal["shed", "limit", "raise", "hold", "restore"]
    """What is asked."""
    mw: Annotated[float, Field(ge=0.0, le=MW_MAX)] = 0.0
    """Power that it names, MW."""
    feeder: Annotated[str, Field(max_length=64)] = ""
    """Feeder that it is about; empty for the whole site."""
    within_s: Annotated[float, Field(gt=0.0, le=86_400.0)] = 1.0
    """How fast it is to be met, seconds."""
    for_s: Annotated[float, Field(gt=0.0, le=7 * 86_400.0)] | None = None
    """How long it binds, seconds; null until it is restored."""
    authority: AskedAs = "site"
    """Who asks through the operator."""
    ends: Annotated[str, Field(max_length=128)] = ""
    """For a restore: id of the order it ends."""
    reason: Annotated[str, Field(min_length=1, max_length=500)]
    """Why."""
    word: Annotated[str, Field(max_length=16)] = ""
    """The word that the first call handed out."""
    is_certain: bool = False
    """Do it with the first call: for emergencies and programs."""


class LockBody(_Body):
    """A lock-out as somebody types it."""

    asset: Annotated[str, Field(min_length=1, max_length=64)]
    """Asset or feeder."""
    reason: Annotated[str, Field(min_length=1, max_length=500)]
    """Why."""


def operator_api(
    desk: Desk,
    access: Access,
    audit: Audit,
    *,
    metrics: Callable[[], bytes],
    monotonic: Callable[[], float],
) -> FastAPI:
    """Make the API of one live site.

    Parameters
    ----------
    desk
        The live engine.
    access
        Who may use it.
    audit
        Where requests are recorded.
    metrics
        The page that Prometheus scrapes.
    monotonic
        Seconds that never run backwards: for limits and confirmations.
    """
    api = FastAPI(title="Headrace operator", version="1", docs_url=None, redoc_url=None, openapi_url=None)
    door = _Door(desk, access, audit, monotonic)
    api.middleware("http")(_bounded)
    api.add_exception_handler(RequestValidationError, door.unreadable)

    @api.get("/healthz")
    async def healthz() -> dict[str, bool]:
        return {"ok": True}

    @api.get("/v1/status")
    async def status(_: Annotated[Person, Depends(door.viewer)]) -> Response:
        return _json(desk.status())

    @api.get("/metrics")
    async def scrape(_: Annotated[Person, Depends(door.viewer)]) -> Response:
        return Response(metrics(), media_type="text/plain; version=0.0.4")

    @api.get("/openapi.json")
    async def schema(_: Annotated[Person, Depends(door.viewer)]) -> Response:
        return _json(api.openapi())

    @api.post("/v1/orders")
    async def order(request: Request, body: OrderBody, person: Annotated[Person, Depends(door.operator)]) -> Response:
        return await door.order(request, body, person)

    @api.post("/v1/locks")
    async def lock(request: Request, body: LockBody, person: Annotated[Person, Depends(door.operator)]) -> Response:
        out = LockOut(asset=body.asset, holder=person.name, since_us=desk.now_us(), reason=body.reason)
        return await door.carry_out(request, person, f"lock {body.asset}: {body.reason}", lambda: desk.lock(out))

    @api.delete("/v1/locks/{asset}")
    async def release(request: Request, asset: str, person: Annotated[Person, Depends(door.operator)]) -> Response:
        return await door.carry_out(request, person, f"release {asset}", lambda: desk.release(asset, by=person.name))

    return api


class _Door:
    """Lets in who may, and writes down who did."""

    def __init__(self, desk: Desk, access: Access, audit: Audit, monotonic: Callable[[], float]) -> None:
        self._desk = desk
        self._access = access
        self._audit = audit
        self._armed = Confirmations(monotonic)
        self._requests = Limiter(tries=TRIES, per_s=TRIES_PER_S, monotonic=monotonic)
        self._guesses = Limiter(tries=GUESSES, per_s=GUESSES_PER_S, monotonic=monotonic)

    async def viewer(self, request: Request, authorization: Annotated[str, Header()] = "") -> Person:
        """Whoever holds a token."""
        return self._let_in(request, authorization, Rank.VIEWER)

    async def operator(self, request: Request, authorization: Annotated[str, Header()] = "") -> Person:
        """Whoever may move power."""
        return self._let_in(request, authorization, Rank.OPERATOR)

    async def order(self, request: Request, body: OrderBody, person: Person) -> Response:
        """Arm an order, or follow it."""
        needed = Rank.ADMIN if body.authority == "safety" else Rank.OPERATOR
        if person.rank < needed:
            self._refuse(request, person, 403, f"orders of {body.authority} need the role {needed.name.lower()}")
        order = _order_of(body, person, self._desk.now_us())
        same = msgspec.json.encode(body.model_dump(exclude={"word", "is_certain"}), order="deterministic")
        detail = f"{body.kind} {body.mw:g} MW {body.feeder or 'site'} as {body.authority}: {body.reason}"
        if not body.is_certain and not body.word:
            word = self._armed.arm(person.name, same)
            self._write(request, person.name, detail, f"armed {word}")
            preview = self._desk.preview(order)
            return _json({"word": word, "good_for_s": GOOD_FOR_S, "preview": preview}, status_code=202)
        if body.word and (why := self._armed.fire(person.name, same, body.word)):
            self._refuse(request, person, 409, why)
        return await self.carry_out(request, person, detail, lambda: self._desk.submit(order))

    async def carry_out(
        self, request: Request, person: Person, detail: str, act: Callable[[], Awaitable[Receipt]]
    ) -> Response:
        """Write down, do, write down what came of it."""
        self._write(request, person.name, detail, "accepted")
        receipt = await act()
        self._write(
            request,
            person.name,
            detail,
            receipt.refused or f"followed: {receipt.metered_mw:.3f} of {receipt.asked_mw:.3f} MW by the meter",
        )
        return _json(receipt, status_code=409 if receipt.refused else 200)

    async def unreadable(self, request: Request, error: Exception) -> Response:
        """Which field can't be, and why, for whoever may know; what was sent is not sent back."""
        try:
            person = self._let_in(request, request.headers.get("authorization", ""), Rank.OPERATOR)
        except HTTPException as refused:
            headers = dict(refused.headers or {})
            return Response(msgspec.json.encode({"detail": refused.detail}), refused.status_code, headers)
        errors = error.errors() if isinstance(error, RequestValidationError) else []
        found = [{"loc": list(each["loc"]), "msg": each["msg"]} for each in errors[:20]]
        self._write(request, person.name, "unreadable", "422")
        return _json({"detail": found}, status_code=422)

    def _let_in(self, request: Request, authorization: str, needed: Rank) -> Person:
        peer = request.client.host if request.client else ""
        scheme, _, token = authorization.partition(" ")
        person = self._access.who(token.strip()) if scheme.lower() == "bearer" and token else None
        if person is None:  # who holds a token gets in, however many guess beside him
            if not self._guesses.is_open(peer):
                raise HTTPException(429, "too many unknown tokens from this address", headers={"Retry-After": "10"})
            self._guesses.take(peer)
            self._write(request, "", "no valid token", "401")
            raise HTTPException(401, "a bearer token is needed", headers={"WWW-Authenticate": "Bearer"})
        wait_s = self._requests.take(person.name)
        if wait_s:
            raise HTTPException(429, f"more than {TRIES_PER_S:g} requests a second", {"Retry-After": f"{wait_s:.0f}"})
        if person.rank < needed:
            self._refuse(request, person, 403, f"this needs the role {needed.name.lower()}")
        return person

    def _refuse(self, request: Request, person: Person, status: int, why: str) -> None:
        self._write(request, person.name, why, str(status))
        raise HTTPException(status, why)

    def _write(self, request: Request, who: str, detail: str, outcome: str) -> None:
        try:
            self._audit.write(
                AuditLine(
                    at_us=self._desk.now_us(),
                    who=who,
                    peer=request.client.host if request.client else "",
                    what=f"{request.method} {request.url.path[:200]}",
                    detail=detail,
                    outcome=outcome,
                )
            )
        except OSError as error:
            raise HTTPException(507, f"the audit file can't be written: {error.strerror}") from error


def _order_of(body: OrderBody, person: Person, now_us: int) -> Order:
    return Order(
        id=f"op.{body.id}",
        kind=OrderKind(body.kind),
        authority=Authority[body.authority.upper()],
        mw=body.mw,
        feeder=body.feeder,
        received_us=now_us,
        starts_us=now_us,
        ends_us=None if body.for_s is None else now_us + round(body.for_s * 1e6),
        within_s=body.within_s,
        ends=body.ends,
        issued_by=person.name,
        reason=body.reason,
    )


async def _bounded(request: Request, follow: Callable[[Request], Awaitable[Response]]) -> Response:
    """Turn away what is longer than any order; a body without a length is turned away too."""
    length = request.headers.get("content-length")
    if request.method in ("POST", "PUT", "PATCH"):
        if length is None or not length.isdigit():
            return Response("a content-length is needed", 411)
        if int(length) > BODY_MAX_BYTES:
            return Response(f"at most {BODY_MAX_BYTES} bytes", 413)
    response = await follow(request)
    response.headers["Cache-Control"] = "no-store"
    return response


def _json(value: object, status_code: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status_code=status_code, media_type="application/json")
