"""The JSON requests and answers that cgminer's API made common, from the device's side."""

from collections.abc import Mapping

import msgspec

__all__ = ["REQUEST_MAX_BYTES", "answer", "failure", "joined", "request_of"]

REQUEST_MAX_BYTES = 16_384
"""Longest request that is read."""

_DECODER = msgspec.json.Decoder(dict[str, object])


def request_of(data: bytes) -> dict[str, object] | None:
    """Object that the bytes are; None while they are none."""
    if not data.rstrip(b"\0\r\n ").endswith(b"}"):
        return None
    try:
        return _DECODER.decode(data.rstrip(b"\0\r\n "))
    except (msgspec.DecodeError, RecursionError):
        return None


def answer(message: str, sections: Mapping[str, object], *, code: int = 0, description: str = "") -> bytes:
    """Successful answer with its sections, ended by a NUL as cgminer does."""
    status = {"STATUS": "S", "When": 0, "Code": code, "Msg": message, "Description": description}
    return msgspec.json.encode({"STATUS": [status], **sections, "id": 1}) + b"\0"


def failure(message: str, *, code: int = 45, description: str = "") -> bytes:
    """Answer of a device that will not."""
    status = {"STATUS": "E", "When": 0, "Code": code, "Msg": message, "Description": description}
    return msgspec.json.encode({"STATUS": [status], "id": 1}) + b"\0"


def joined(parts: Mapping[str, object]) -> bytes:
    """Answer to several commands at once: a list under each one's name."""
    return msgspec.json.encode({**parts, "id": 1}) + b"\0"
