"""md5-crypt against what OpenSSL makes of the same words (`openssl passwd -1 -salt SALT PASSWORD`)."""

import pytest

from headrace.adapters.miners.md5_crypt import md5_crypt

MADE_BY_OPENSSL = [
    ("", "x", "fwjfZtMwarkdetsjiQreU1"),
    ("password", "saltsalt", "qjXMvbEw8oaL.CzflDtaK/"),
    ("averyveryverylongpasswordofmorethansixteenletters", "ab", "K53b.X7B2pjOIGuBnpy1E."),
    ("admin", "BQ5hoXV9", "RxmaDUO33TS7O26yeMHZ81"),
    ("RxmaDUO33TS7O26yeMHZ815626", "jbzkfQls", "w.BNbkCV6n1aNWgiBWLzT/"),
    ("RxmaDUO33TS7O26yeMHZ819041", "kW2nRb8x", "PQnrI8nIdEw.qhsBfGVQQ0"),
]


@pytest.mark.parametrize(("password", "salt", "expected"), MADE_BY_OPENSSL)
def test_it_agrees_with_openssl(password, salt, expected):
    assert md5_crypt(password.encode(), salt.encode()) == expected


def test_letters_of_a_salt_past_the_eighth_do_not_count():
    assert md5_crypt(b"admin", b"BQ5hoXV9more") == md5_crypt(b"admin", b"BQ5hoXV9")
