"""An OpenADR 3 VTN on loopback: programs, events, reports, subscriptions, vens, resources, tokens and notifications.

Paths, required fields, statuses and problem replies follow the OpenADR Alliance's OpenAPI description (3.0.1, and of
3.1 plain targets, /resources and the words of notifications); two independent public clients accept it. No VTN can be
had as a Python package, so this one is ours. It binds to loopback and calls back on loopback only.
"""

import asyncio
import hmac
import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qs

import aiohttp
import msgspec
from aiohttp import web
from pydantic import ValidationError

from headrace.sim.grid.vtn3_objects import Collection, collections, problem_of

__all__ = ["Client", "Vtn3"]

PAGE_MAX: Final = 50
BODY_MAX_BYTES: Final = 1_000_000
TOKEN_LASTS_S: Final = 3600
CALL_BACK_WAIT_S: Final = 2.0
"""Longest wait for a subscriber, seconds."""
READ: Final = frozenset({"read_all"})
VEN_SCOPES: Final = READ | {"write_reports", "write_subscriptions", "write_vens"}
WRITER_SCOPES: Final = READ | {"write_programs", "write_events", "write_subscriptions", "write_vens"}
SAME: Final = ({"POST", "CREATE"}, {"PUT", "UPDATE"}, {"DELETE"})
"""Words of 3.0 and 3.1 for one operation."""


class Client(msgspec.Struct, frozen=True, kw_only=True):
    """Who may talk to the VTN."""

    secret: str
    """Its secret."""
    is_ven: bool = True
    """A VEN writes reports and subscriptions; business logic writes programs and events."""

    def __repr__(self) -> str:
        return f"Client(is_ven={self.is_ven}, ...)"


class Vtn3:
    """A VTN.

    Parameters
    ----------
    clients
        Who may talk to it, by client id.
    port
        Port on loopback; 0 for any.
    now_us
        Clock of its time stamps, epoch microseconds.
    """

    def __init__(self, clients: Mapping[str, Client], port: int, now_us: Callable[[], int]) -> None:
        self.url = ""
        self.failed_calls = 0
        self._clients = clients
        self._port = port
        self._now_us = now_us
        self._tokens: dict[str, frozenset[str]] = {}
        self._all = collections()
        self._count = 0
        self._runner: web.AppRunner | None = None
        self._session: aiohttp.ClientSession | None = None
        self._calls: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Serve."""
        app = web.Application(client_max_size=BODY_MAX_BYTES)
        app.router.add_get("/auth/server", self._auth_server)
        app.router.add_post("/auth/token", self._token)
        app.router.add_get("/notifiers", self._notifiers)
        for name, each in self._all.items():
            app.router.add_get(f"/{name}", self._guarded(each, self._list, ""))
            app.router.add_post(f"/{name}", self._guarded(each, self._create, each.scope))
            app.router.add_get(f"/{name}/{{id}}", self._guarded(each, self._get, ""))
            app.router.add_put(f"/{name}/{{id}}", self._guarded(each, self._update, each.scope))
            app.router.add_delete(f"/{name}/{{id}}", self._guarded(each, self._delete, each.scope))
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=CALL_BACK_WAIT_S))
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        """Serve no more."""
        for task in tuple(self._calls):
            task.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)
        if self._session is not None:
            await self._session.close()
        if self._runner is not None:
            await self._runner.cleanup()

    def objects(self, name: str) -> list[dict[str, Any]]:
        """Everything in a collection, in order of creation."""
        return list(self._all[name].objects.values())

    def add(self, name: str, body: dict[str, Any]) -> dict[str, Any]:
        """Create an object from this side, as a client of the business logic would; subscribers are told."""
        found = self._made(self._all[name], body)
        self._tell(self._all[name], found, "POST")
        return found

    def change(self, name: str, object_id: str, body: dict[str, Any]) -> dict[str, Any]:
        """Replace an object from this side."""
        found = self._changed(self._all[name], object_id, body)
        self._tell(self._all[name], found, "PUT")
        return found

    def remove(self, name: str, object_id: str) -> None:
        """Delete an object from this side."""
        found = self._all[name].objects.pop(object_id)
        self._tell(self._all[name], found, "DELETE")

    def revoke_tokens(self) -> None:
        """Let no token pass any more: clients must sign in again."""
        self._tokens.clear()

    def _stamp(self) -> str:
        at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=self._now_us())
        return at.isoformat(timespec="microseconds").replace("+00:00", "Z")

    def _made(self, collection: Collection, body: dict[str, Any]) -> dict[str, Any]:
        self._count += 1
        stamp = self._stamp()
        object_id = f"{collection.kind.lower()}-{self._count}"
        own = {"id": object_id, "createdDateTime": stamp, "modificationDateTime": stamp, "objectType": collection.kind}
        collection.objects[object_id] = {**body, **own}
        return collection.objects[object_id]

    def _changed(self, collection: Collection, object_id: str, body: dict[str, Any]) -> dict[str, Any]:
        before = collection.objects[object_id]
        own = {key: before[key] for key in ("id", "createdDateTime", "objectType")}
        collection.objects[object_id] = {**body, **own, "modificationDateTime": self._stamp()}
        return collection.objects[object_id]

    async def _auth_server(self, request: web.Request) -> web.Response:
        return web.json_response({"tokenURL": f"{self.url}/auth/token"})

    async def _notifiers(self, request: web.Request) -> web.Response:
        return web.json_response({"WEBHOOK": True})

    async def _token(self, request: web.Request) -> web.Response:
        form = {key: values[0] for key, values in parse_qs((await request.read()).decode("utf-8", "replace")).items()}
        if form.get("grant_type") != "client_credentials":
            return web.json_response({"error": "unsupported_grant_type"}, status=400)
        client = self._clients.get(form.get("client_id", ""))
        shown = form.get("client_secret", "").encode()
        if client is None or not hmac.compare_digest(client.secret.encode(), shown):
            return web.json_response({"error": "invalid_client"}, status=401)
        may = VEN_SCOPES if client.is_ven else WRITER_SCOPES
        asked = frozenset(form.get("scope", "").split())
        granted = (asked & may) or may
        token = secrets.token_urlsafe(24)
        self._tokens[token] = granted
        scope = " ".join(sorted(granted))
        return web.json_response(
            {"access_token": token, "token_type": "Bearer", "expires_in": TOKEN_LASTS_S, "scope": scope}
        )

    def _guarded(
        self, collection: Collection, act: Callable[[Collection, web.Request], Any], scope: str
    ) -> Callable[[web.Request], Any]:
        async def handle(request: web.Request) -> web.Response:
            words = request.headers.get("Authorization", "").split()
            granted = (
                self._tokens.get(words[1], frozenset()) if len(words) == 2 and words[0] == "Bearer" else frozenset()
            )
            if not granted or (scope and scope not in granted):
                return _problem(403, "Forbidden", f"needs a token with {scope or 'read_all'}")
            try:
                reply: web.Response = await act(collection, request)
            except _Problem as problem:
                return _problem(problem.status, problem.title, str(problem))
            return reply

        return handle

    async def _list(self, collection: Collection, request: web.Request) -> web.Response:
        query = request.query
        skip, limit = _whole(query.get("skip"), 0, 2**31 - 1), _whole(query.get("limit"), PAGE_MAX, PAGE_MAX)
        found = [
            each
            for each in collection.objects.values()
            if all(query[key] == str(each.get(key)) for key in collection.filters if key in query)
            and _is_target(each, query.get("targetType"), query.getall("targetValues", []))
        ]
        return web.json_response(found[skip : skip + limit])

    async def _create(self, collection: Collection, request: web.Request) -> web.Response:
        body = await _body(collection, request)
        name = body.get(collection.unique)
        if collection.unique and any(each[collection.unique] == name for each in collection.objects.values()):
            raise _Problem(409, "Conflict", f"{collection.unique} {name!r} exists")
        self._check_references(body)
        found = self._made(collection, body)
        self._tell(collection, found, "POST")
        return web.json_response(found, status=201)

    async def _get(self, collection: Collection, request: web.Request) -> web.Response:
        return web.json_response(_found(collection, request))

    async def _update(self, collection: Collection, request: web.Request) -> web.Response:
        before = _found(collection, request)
        found = self._changed(collection, before["id"], await _body(collection, request))
        self._tell(collection, found, "PUT")
        return web.json_response(found)

    async def _delete(self, collection: Collection, request: web.Request) -> web.Response:
        found = _found(collection, request)
        del collection.objects[found["id"]]
        self._tell(collection, found, "DELETE")
        return web.json_response(found)

    def _check_references(self, body: Mapping[str, Any]) -> None:
        """An object names only what exists."""
        for key, name in (("programID", "programs"), ("eventID", "events"), ("venID", "vens")):
            if body.get(key) is not None and body[key] not in self._all[name].objects:
                raise _Problem(400, "Bad Request", f"{key} {body[key]!r} does not exist")

    def _tell(self, collection: Collection, found: Mapping[str, Any], operation: str) -> None:
        """Call back whoever subscribed to this operation, in the word he subscribed with."""
        same = next(words for words in SAME if operation in words)
        for subscription in self._all["subscriptions"].objects.values():
            programme = subscription.get("programID")
            own = found["id"] if collection.kind == "PROGRAM" else found.get("programID")
            if programme is not None and own != programme:
                continue
            for each in subscription["objectOperations"]:
                word = next((word for word in each["operations"] if word in same), None)
                if word is None or collection.kind not in each["objects"]:
                    continue
                body = {"objectType": collection.kind, "operation": word, "object": dict(found)}
                task = asyncio.create_task(self._call(each, body))
                self._calls.add(task)
                task.add_done_callback(self._calls.discard)

    async def _call(self, operation: Mapping[str, Any], body: object) -> None:
        headers = {"Content-Type": "application/json"}
        if operation.get("bearerToken"):
            headers["Authorization"] = f"Bearer {operation['bearerToken']}"
        if self._session is None:
            return
        try:
            data = msgspec.json.encode(body)
            async with self._session.post(operation["callbackUrl"], data=data, headers=headers) as reply:
                self.failed_calls += reply.status != 200
        except (aiohttp.ClientError, TimeoutError, OSError):
            self.failed_calls += 1


class _Problem(Exception):
    """A refusal as the standard's problem object.

    Parameters
    ----------
    status
        HTTP status.
    title
        Its words.
    detail
        What was wrong.
    """

    def __init__(self, status: int, title: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.title = title


def _problem(status: int, title: str, detail: str) -> web.Response:
    return web.json_response(
        {"title": title, "status": status, "detail": detail}, status=status, content_type="application/json"
    )


def _found(collection: Collection, request: web.Request) -> dict[str, Any]:
    found = collection.objects.get(request.match_info["id"])
    if found is None:
        raise _Problem(404, "Not Found", f"no {collection.kind.lower()} {request.match_info['id']!r}")
    return found


async def _body(collection: Collection, request: web.Request) -> dict[str, Any]:
    try:
        body = msgspec.json.decode(await request.read(), type=dict[str, Any])
        collection.model.model_validate(body)
    except ValidationError as error:
        raise _Problem(400, "Bad Request", problem_of(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _Problem(400, "Bad Request", f"no JSON object: {error}") from error
    return body


def _whole(text: str | None, default: int, most: int) -> int:
    if text is None:
        return default
    if not text.isdecimal() or int(text) > most:
        raise _Problem(400, "Bad Request", f"{text!r} is no whole number from 0 to {most}")
    return int(text)


def _is_target(each: Mapping[str, Any], kind: str | None, values: list[str]) -> bool:
    """Is an object among the targets that were asked for? Its own name counts as one of its targets."""
    if kind is None:
        return True
    own = each.get({"PROGRAM_NAME": "programName", "VEN_NAME": "venName", "EVENT_NAME": "eventName"}.get(kind, ""))
    if own in values:
        return True
    targets = each.get("targets") or []
    return any(
        bool(set(target.get("values", ())) & set(values)) if isinstance(target, Mapping) else target in values
        for target in targets
        if not isinstance(target, Mapping) or target.get("type") == kind
    )
