"""Whatever is written in a site file, reading it gives a site or one clear error, never anything else."""

import tomllib
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

import headrace.app
from headrace.adapters.sitefile import LoadedSite, SiteFileError, parse_site
from headrace.adapters.sitefile.lines import key_lines

DEMO = (Path(headrace.app.__file__).parent / "sites" / "demo.toml").read_text(encoding="utf-8")
LINES = DEMO.splitlines()
KEYS = [i for i, line in enumerate(LINES) if " = " in line and not line.startswith("#")]
NUMBERS = ("1", "-1", "0", "nan", "-inf", "1e400", "9" * 400, "0.3000000000000001")
OTHERS = ("true", '""', '"x"', '"\\u0000"', "[]", "[[]]", "[1, [2]]", "[[0.0, 1.1], [0.0, 1.2]]", "{}", "{ a = 1 }")
TIMES = ("2024-01-01", "2024-01-01T00:00:00", "07:32:00", "0001-01-01", "9999-12-31")
VALUES = st.sampled_from((*NUMBERS, *OTHERS, *TIMES))


def _read(text):
    try:
        return parse_site(text, Path("demo.toml"))
    except SiteFileError as error:
        refused = error
    assert str(refused).startswith("demo.toml")
    assert all(each.found and each.do for each in refused.problems)
    return refused


@given(st.sampled_from(KEYS), VALUES)
def test_any_value_anywhere_is_read_or_refused(at, value):
    lines = list(LINES)
    key = lines[at].split(" = ")[0]
    lines[at] = f"{key} = {value}"
    answer = _read("\n".join(lines))
    if isinstance(answer, SiteFileError):
        assert any(each.line is not None for each in answer.problems)


@given(st.lists(st.sampled_from(range(len(LINES))), max_size=8))
def test_any_lines_left_out_are_noticed_or_not_needed(left_out):
    _read("\n".join(line for i, line in enumerate(LINES) if i not in left_out))


@given(st.integers(0, len(DEMO)), st.integers(0, len(DEMO)))
def test_any_part_of_a_file_is_read_or_refused(first, last):
    _read(DEMO[min(first, last) : max(first, last)])


@given(st.sampled_from(KEYS), st.text("abcdefghijklmnopqrstuvwxyz_", min_size=1, max_size=12))
def test_an_unknown_key_is_named_with_its_line(at, word):
    lines = list(LINES)
    lines.insert(at + 1, f"{word}_zz = 1")
    answer = _read("\n".join(lines))
    assert isinstance(answer, SiteFileError)
    assert [each.line for each in answer.problems if each.key.endswith(f"{word}_zz")][:1] == [at + 2]


def test_every_key_of_the_demo_is_found_on_its_line():
    lines = key_lines(DEMO)
    tables = tomllib.loads(DEMO)
    assert isinstance(parse_site(DEMO, Path("demo.toml")), LoadedSite)
    for table, fields in tables.items():
        for i, each in enumerate(fields if isinstance(fields, list) else [fields]):
            path = (table, i) if isinstance(fields, list) else (table,)
            for key in each:
                if (*path, key, 0) not in lines:
                    assert LINES[lines[(*path, key)] - 1].split(" = ")[0] == key
