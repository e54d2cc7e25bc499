"""A function fits a screen, a file fits a sitting, and every file has one noun."""

import ast

FUNCTION_LINES = 70
FILE_LINES = 600
LONGER: dict[str, int] = {}
"""Functions that are longer, "path::name" with their lines. It may only shrink: split one, take it out."""
NO_NOUN = {"util", "utils", "helper", "helpers", "common", "misc", "tools", "stuff"}


def _code_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its decorators and docstring: nobody should save on those."""
    lines = node.end_lineno - node.lineno + 1
    if ast.get_docstring(node) is not None:
        lines -= node.body[0].end_lineno - node.body[0].lineno + 1
    return lines


def test_functions_fit_a_screen(source, tests):
    long: dict[str, int] = {}
    for module in source + tests:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = _code_lines(node)
                if lines > FUNCTION_LINES:
                    long[f"{module.where(node).rsplit(':', 1)[0]}::{node.name}"] = lines
    grown = {name: lines for name, lines in long.items() if lines > LONGER.get(name, FUNCTION_LINES)}
    assert not grown, (
        f"a function has at most {FUNCTION_LINES} lines: keep branches in the caller, loops in leaves: {grown}"
    )
    shrunk = {name for name in LONGER if LONGER[name] != long.get(name)}
    assert not shrunk, f"shorter now: lower or remove these in LONGER, the list may only shrink: {shrunk}"


def test_files_fit_a_sitting(source, tests):
    long = {m.where(m.tree): m.text.count("\n") for m in source + tests if m.text.count("\n") > FILE_LINES}
    assert not long, f"a file has at most {FILE_LINES} lines: one noun or one rule per file: {long}"


def test_every_file_is_named_for_what_is_in_it(source, tests):
    bad = [m.where(m.tree) for m in source + tests if NO_NOUN & set(m.path.with_suffix("").parts[-3:])]
    assert not bad, f"a name like utils invites everything: name the file for its one noun or rule: {bad}"
