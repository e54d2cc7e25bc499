"""Ids derived from content: the same record has the same id on every machine and in every run."""

import hashlib

__all__ = ["content_id"]


def content_id(*parts: bytes) -> str:
    """Hash bytes to a short id.

    Parameters
    ----------
    *parts
        Canonical encodings, in order; lengths are mixed in so that no two splits collide.

    Returns
    -------
    str
        32 hexadecimal digits (128 bits of BLAKE2b).
    """
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.hexdigest()
