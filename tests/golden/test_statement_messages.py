"""What a person reads when a statement or its declaration is wrong, case by case: a file, beside it the message."""

from pathlib import Path

import pytest

from headrace.adapters.statements import StatementDeclaration, load_declaration, read_statement, table
from headrace.core import BadInput, ExitCode

HERE = Path(__file__).parent / "statements"
STATEMENTS = sorted(HERE.glob("*.csv"))
DECLARATIONS = sorted((HERE / "declarations").glob("*.toml"))


@pytest.mark.parametrize("path", STATEMENTS, ids=lambda path: path.stem)
def test_a_bad_statement_is_refused_with_file_and_line(path, monkeypatch):
    declaration = load_declaration(HERE / "sender.toml", StatementDeclaration)
    monkeypatch.chdir(HERE)
    with pytest.raises(BadInput) as refused:
        read_statement(Path(path.name), declaration)
    assert f"{refused.value}\n" == path.with_suffix(".txt").read_text()
    assert refused.value.exit_code is ExitCode.BAD_INPUT


@pytest.mark.parametrize("path", DECLARATIONS, ids=lambda path: path.stem)
def test_a_bad_declaration_names_every_problem(path, monkeypatch):
    monkeypatch.chdir(path.parent)
    with pytest.raises(BadInput) as refused:
        load_declaration(Path(path.name), StatementDeclaration)
    assert f"{refused.value}\n" == path.with_suffix(".txt").read_text()


def test_every_message_has_its_file():
    for folder, files in ((HERE, STATEMENTS), (HERE / "declarations", DECLARATIONS)):
        assert {path.stem for path in files} == {path.stem for path in folder.glob("*.txt")}


@pytest.mark.parametrize(
    ("limit", "value", "words"),
    [("FILE_MAX_BYTES", 2**20, "is longer than 1 MiB"), ("ROWS_MOST", 1, "line 3: has more than 1 rows")],
)
def test_a_statement_is_bounded(monkeypatch, tmp_path, limit, value, words):
    declaration = load_declaration(HERE / "sender.toml", StatementDeclaration)
    rows = (HERE / "does_not_foot.csv").read_text()
    path = tmp_path / "large.csv"
    path.write_text(rows + "#" * (2**20 if limit == "FILE_MAX_BYTES" else 0))
    monkeypatch.setattr(table, limit, value)
    with pytest.raises(BadInput, match=words):
        read_statement(path, declaration)


@pytest.mark.parametrize("name", ["nosuch.csv", "."])
def test_a_statement_that_is_not_there_is_one_clear_error(name):
    with pytest.raises(BadInput, match="can't be read"):
        read_statement(Path(name), load_declaration(HERE / "sender.toml", StatementDeclaration))
