"""Who may do what: names with a role each, known by a token of which only the hash is kept.

    # name      role        SHA-256 of the token
    maria       operator    9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08

A viewer reads; an operator also moves power and locks out; an admin also orders in the name of people and equipment.
A token has 256 random bits, so a plain hash of it can't be searched.
"""

import hashlib
import hmac
import re
import secrets
from enum import IntEnum
from typing import Final

import msgspec

from headrace.core import BadInput

__all__ = ["Access", "Person", "Rank", "new_token"]

LINE: Final = re.compile(r"(?P<name>[\w.@-]{1,64})\s+(?P<role>[a-z]+)\s+(?P<digest>[0-9a-f]{64})")
PEOPLE_MAX: Final = 1000
"""Most names in one file."""


class Rank(IntEnum):
    """Roles, each with all rights of those before it."""

    VIEWER = 1
    OPERATOR = 2
    ADMIN = 3


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody, or a program, that may use the API."""

    name: str
    """As it is written into the journal."""
    rank: Rank
    """What they may do."""
    digest: str
    """SHA-256 of their token, hexadecimal."""


class Access:
    """Everybody who may use the API.

    Parameters
    ----------
    people
        Names, each once.
    """

    def __init__(self, people: tuple[Person, ...]) -> None:
        self._people = people

    @classmethod
    def read(cls, text: str, where: str) -> "Access":
        """Read an access file.

        Raises
        ------
        headrace.core.BadInput
            Naming the first line that can't be read; the line itself is not shown, it may hold a token.
        """
        people: dict[str, Person] = {}
        for number, raw in enumerate(text.splitlines(), start=1):
            line = raw.partition("#")[0].strip()
            if not line:
                continue
            found = LINE.fullmatch(line)
            if found is None:
                raise BadInput(
                    f"{where} line {number}",
                    "not a name, a role and the SHA-256 of a token",
                    "Write the line with `headrace access add`",
                )
            if found["role"].upper() not in Rank.__members__:
                raise BadInput(f"{where} line {number}", f"no role {found['role']!r}", "viewer, operator or admin")
            if found["name"] in people:
                raise BadInput(f"{where} line {number}", f"{found['name']} is there twice", "Keep one of the lines")
            people[found["name"]] = Person(name=found["name"], rank=Rank[found["role"].upper()], digest=found["digest"])
        if len(people) > PEOPLE_MAX:
            raise BadInput(where, f"{len(people)} names", f"At most {PEOPLE_MAX}")
        return cls(tuple(people.values()))

    def who(self, token: str) -> Person | None:
        """Whose token this is; every entry is compared in full, so the time taken tells nothing."""
        digest = hashlib.sha256(token.encode()).hexdigest()
        found = None
        for person in self._people:
            if hmac.compare_digest(digest, person.digest):
                found = person
        return found


def new_token(name: str, rank: Rank) -> tuple[str, str]:
    """A fresh token, and the line of the access file that knows it.

    Raises
    ------
    headrace.core.BadInput
        If the name can't stand in the file.
    """
    token = f"hr_{secrets.token_urlsafe(32)}"
    line = f"{name} {rank.name.lower()} {hashlib.sha256(token.encode()).hexdigest()}"
    if not LINE.fullmatch(line):
        raise BadInput(f"name {name!r}", "not a name for the access file", "Use up to 64 letters, digits, dots, dashes")
    return token, line
