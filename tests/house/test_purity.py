"""A room decides and does not act: no clock, no randomness, no files. import-linter walls off packages; this, names."""

import ast
import tomllib

EFFECTS = {
    "time",
    "random",
    "secrets",
    "uuid",
    "os",
    "io",
    "pathlib",
    "socket",
    "logging",
    "asyncio",
    "subprocess",
    "sqlite3",
}
CLOCKS = {"now", "utcnow", "today", "time_ns", "monotonic", "perf_counter", "default_rng"}
RUFF = {"ANN", "BLE", "D", "DTZ", "ERA", "FIX", "PGH", "T20", "TID"}
"""Ruff rule families that CONVENTIONS.md relies on (naive times: DTZ; prints: T20; relative imports: TID ...)."""


def test_rooms_import_no_effects(source):
    bad = []
    for module in (m for m in source if m.is_pure):
        for node in ast.walk(module.tree):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            bad += [f"{module.where(node)} {name}" for name in names if name.split(".")[0] in EFFECTS]
    assert not bad, f"time, chance and files come into a room as arguments: {bad}"


def test_rooms_read_no_clock_and_draw_no_lots(source):
    bad = []
    for module in (m for m in source if m.is_pure):
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name):
                name = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
                if name in CLOCKS or name in {"open", "print", "input"}:
                    bad.append(f"{module.where(node)} {name}()")
    assert not bad, (
        f"`now` is an argument, a generator comes from the run's seed, a room opens and prints nothing: {bad}"
    )


def test_ruff_still_checks_what_the_conventions_say_it_checks(root):
    with (root / "pyproject.toml").open("rb") as file:
        lint = tomllib.load(file)["tool"]["ruff"]["lint"]
    assert set(lint["select"]) >= RUFF, "CONVENTIONS.md marks rules [c] that ruff checks by these families"
    assert not RUFF & set(lint["ignore"]), "a family that CONVENTIONS.md relies on is ignored"
