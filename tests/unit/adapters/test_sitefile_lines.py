"""A key of a TOML text is found again on its own line, however the table is written."""

import tomllib

from headrace.adapters.sitefile.lines import key_lines, line_of

TEXT = '''\
title = "a # no comment [no table]"
[plain]
a = 1
b.c = 2                     # dotted
"quoted key" = 3
note = """
fake = 1
[fake]
"""
points = [                  # over several lines
  [1, 2],
  [3, 4],
]
inline = { x = 1, y = 2 }
after = 1

[[list]]
name = "one"
[[list.inner]]
k = 1
[[list.inner]]
k = 2
[list.table]
t = 1

[[list]]
name = "two"
[[list.inner]]
k = 3
'''


def test_every_kind_of_key_is_on_its_line():
    tomllib.loads(TEXT)
    lines = key_lines(TEXT)
    assert lines == {
        ("title",): 1,
        ("plain",): 2,
        ("plain", "a"): 3,
        ("plain", "b"): 4,
        ("plain", "b", "c"): 4,
        ("plain", "quoted key"): 5,
        ("plain", "note"): 6,
        ("plain", "points"): 10,
        ("plain", "inline"): 14,
        ("plain", "after"): 15,
        ("list", 0): 17,
        ("list", 0, "name"): 18,
        ("list", 0, "inner", 0): 19,
        ("list", 0, "inner", 0, "k"): 20,
        ("list", 0, "inner", 1): 21,
        ("list", 0, "inner", 1, "k"): 22,
        ("list", 0, "table"): 23,
        ("list", 0, "table", "t"): 24,
        ("list", 1): 26,
        ("list", 1, "name"): 27,
        ("list", 1, "inner", 0): 28,
        ("list", 1, "inner", 0, "k"): 29,
    }


def test_a_key_that_is_not_there_is_at_the_nearest_table_around_it():
    lines = key_lines(TEXT)
    assert line_of(("list", 1, "inner", 0, "absent"), lines) == 28
    assert line_of(("plain", "points", 1, 0), lines) == 10
    assert line_of(("absent",), lines) is None
