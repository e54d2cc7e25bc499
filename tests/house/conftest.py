"""What the house checks read: the source as syntax trees, and the files git knows."""

import ast
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "headrace"
ROOMS = ("core", "energy", "loads", "dispatch", "control", "settlement", "treasury")
TEXT = {".py", ".md", ".toml", ".txt", ".html", ".css", ".js", ".json", ".yaml", ".yml", ".jinja", ".sh", ".svg", ""}


@dataclass(frozen=True)
class Module:
    """One Python file of ours."""

    path: Path
    tree: ast.Module
    text: str

    @property
    def name(self) -> str:
        """Dotted name from the source root, or the path from the project's root for a test."""
        if self.path.is_relative_to(SOURCE):
            parts = self.path.relative_to(SOURCE.parent).with_suffix("").parts
            return ".".join(part for part in parts if part != "__init__")
        return str(self.path.relative_to(ROOT))

    @property
    def room(self) -> str:
        """First package below `headrace`; empty for the package itself and for tests."""
        parts = self.name.split(".")
        return parts[1] if len(parts) > 1 and parts[0] == "headrace" else ""

    @property
    def is_pure(self) -> bool:
        """It belongs to a room that decides and does not act."""
        return self.room in ROOMS

    @property
    def is_kernel(self) -> bool:
        """Compiled loops, whose inner names are those of the equations."""
        return "kernel" in self.name

    def where(self, node: ast.AST) -> str:
        """Path and line of a node, as an editor opens it."""
        return f"{self.path.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}"


def _read(folder: Path) -> tuple[Module, ...]:
    modules = []
    for path in sorted(folder.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        modules.append(Module(path, ast.parse(text), text))
    return tuple(modules)


@pytest.fixture(scope="session")
def source() -> tuple[Module, ...]:
    """Every module of the package."""
    return _read(SOURCE)


@pytest.fixture(scope="session")
def tests() -> tuple[Module, ...]:
    """Every module under `tests/`."""
    return _read(ROOT / "tests")


@pytest.fixture(scope="session")
def files() -> tuple[Path, ...]:
    """Every file that git tracks or would add."""
    git = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if git.returncode:
        pytest.skip("not a git checkout")
    paths = (ROOT / name for name in git.stdout.split("\0") if name)
    return tuple(path for path in sorted(set(paths)) if path.is_file())


@pytest.fixture(scope="session")
def texts(files: tuple[Path, ...]) -> dict[str, str]:
    """Text of every file that is text, by its path from the project's root."""
    return {
        str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
        for path in files
        if path.suffix in TEXT and path.name != "LICENSE"
    }


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's root."""
    return ROOT
