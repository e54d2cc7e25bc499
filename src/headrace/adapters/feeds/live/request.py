"""What is asked of an operator, without its secrets: a request can be printed, logged and compared as it is.

A secret is named by the environment variable that holds it; only the transport looks it up, as it sends.
"""

from urllib.parse import urlencode

import msgspec

from headrace.core import Interval

__all__ = ["Request", "SignIn"]


class SignIn(msgspec.Struct, frozen=True, kw_only=True):
    """A form that is posted for a token, which then goes with each request as `Authorization: Bearer`."""

    url: str
    """Where the form goes."""
    form: tuple[tuple[str, str], ...]
    """Fields that are no secret."""
    secret_form: tuple[tuple[str, str], ...]
    """Field to the environment variable that holds its value."""
    token_key: str
    """Key of the token in the JSON reply."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One GET of an operator's service."""

    url: str
    """Address without its query; https."""
    params: tuple[tuple[str, str], ...] = ()
    """Query, in order; no secrets."""
    secret_params: tuple[tuple[str, str], ...] = ()
    """Query key to the environment variable that holds its value."""
    secret_headers: tuple[tuple[str, str], ...] = ()
    """Header to the environment variable that holds its value."""
    sign_in: SignIn | None = None
    """How to get the bearer token; None where none is asked for."""
    interval: Interval
    """Span that the reply is to cover; what it holds beyond is left out."""

    @property
    def variables(self) -> tuple[str, ...]:
        """Environment variables that this request needs."""
        form = self.sign_in.secret_form if self.sign_in else ()
        return tuple(variable for _, variable in (*form, *self.secret_params, *self.secret_headers))

    def shown(self) -> str:
        """Address for people, each secret as the name of its variable."""
        query = [f"{key}=${{{variable}}}" for key, variable in self.secret_params]
        if self.params:
            query.insert(0, urlencode(self.params, safe=":,/"))
        return f"{self.url}?{'&'.join(query)}" if query else self.url
