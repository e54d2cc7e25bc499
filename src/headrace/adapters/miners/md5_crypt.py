"""The password hash called md5-crypt ("$1$"), which WhatsMiner firmware derives its keys with.

A thousand rounds of MD5 over the password, the salt and the round's number (P.-H. Kamp, FreeBSD 1994; also
`openssl passwd -1`). The rounds repeat every 42, so what stands before and after the digest is made once.
"""

import hashlib
from typing import Final

__all__ = ["md5_crypt"]

ALPHABET: Final = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
ROUNDS: Final = 1000
PERIOD: Final = 42
"""Least common multiple of the 2, 3 and 7 that a round's number is divided by."""
SALT_MAX_CHARS: Final = 8
ORDER: Final = ((0, 6, 12), (1, 7, 13), (2, 8, 14), (3, 9, 15), (4, 10, 5))
"""Bytes of the digest that make each group of four letters."""


def md5_crypt(password: bytes, salt: bytes) -> str:
    """Hash alone, 22 letters, without the "$1$salt$" before it."""
    salt = salt[:SALT_MAX_CHARS]
    final = hashlib.md5(password + salt + password, usedforsecurity=False).digest()
    first = password + b"$1$" + salt + (final * (len(password) // 16 + 1))[: len(password)]
    bits = len(password)
    while bits:
        first += b"\0" if bits & 1 else password[:1]
        bits >>= 1
    digest = hashlib.md5(first, usedforsecurity=False).digest()
    around = [_around(password, salt, number) for number in range(PERIOD)]
    for number in range(ROUNDS):
        before, after = around[number % PERIOD]
        digest = hashlib.md5(before + digest + after, usedforsecurity=False).digest()
    letters = [_letters(digest[a] << 16 | digest[b] << 8 | digest[c], 4) for a, b, c in ORDER]
    return "".join(letters) + _letters(digest[11], 2)


def _around(password: bytes, salt: bytes, number: int) -> tuple[bytes, bytes]:
    """What stands before and after the digest in a round."""
    middle = (salt if number % 3 else b"") + (password if number % 7 else b"")
    return (password + middle, b"") if number % 2 else (b"", middle + password)


def _letters(value: int, count: int) -> str:
    return "".join(ALPHABET[value >> 6 * place & 0x3F] for place in range(count))
