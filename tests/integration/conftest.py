"""Books at a URL, on every database they are tested on."""

import os
from itertools import count

import pytest
from sqlalchemy import create_engine, make_url, text

POSTGRES = "HEADRACE_TEST_POSTGRES"
"""URL of a PostgreSQL database that tests may write into; each makes a schema of its own and drops it."""

_NUMBERS = count()


@pytest.fixture(params=["sqlite", "postgresql"])
def books_url(request, tmp_path):
    """URL of a database without books."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'live.sqlite'}"
        return
    server = os.environ.get(POSTGRES)
    if not server:
        pytest.skip(f"set {POSTGRES} to the URL of a PostgreSQL database that tests may write into")
    pytest.importorskip("psycopg", reason='PostgreSQL needs pip install "headrace[postgres]"')
    schema = f"test_{os.getpid()}_{next(_NUMBERS)}"
    engine = create_engine(server)
    with engine.begin() as connection:
        connection.execute(text(f"CREATE SCHEMA {schema}"))
    url = make_url(server).update_query_dict({"options": f"-csearch_path={schema}"})
    yield url.render_as_string(hide_password=False)
    with engine.begin() as connection:
        connection.execute(text(f"DROP SCHEMA {schema} CASCADE"))
    engine.dispose()
