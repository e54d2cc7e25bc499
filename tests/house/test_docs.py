"""The docs say what is: links resolve, commands exist, invariants have tests, dependencies are accounted for."""

import re
import tomllib
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from headrace.app.cli import app

LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
INVARIANT = re.compile(r"^\| ([A-Z]\d+) \|", re.MULTILINE)
MARKED = re.compile(r"mark\.inv\(([^)]*)\)")
COPYLEFT = re.compile(r"\b[AL]?GPL|General Public|EUPL|MPL|Mozilla", re.IGNORECASE)
WEAK_COPYLEFT: dict[str, str] = {}
"""Requirements of the wheel under a weak copyleft, with why that is acceptable; may only shrink."""
CODE = re.compile(r"^```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)


def _pages(root: Path) -> list[Path]:
    return sorted([*root.glob("*.md"), *root.glob("docs/**/*.md")])


def _anchors(text: str) -> set[str]:
    heads = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def _project(root: Path) -> dict:
    with (root / "pyproject.toml").open("rb") as file:
        return tomllib.load(file)


def _commands(root: Path) -> list[tuple[str, str]]:
    """Lines of the docs' code blocks, each with its page."""
    blocks = ((page.name, block) for page in _pages(root) for block in CODE.findall(page.read_text(encoding="utf-8")))
    return [(name, line.strip().removeprefix("$ ")) for name, block in blocks for line in block.splitlines()]


def test_links_resolve(root):
    bad = []
    for page in _pages(root):
        for target in (a or b for a, b in LINK.findall(page.read_text(encoding="utf-8"))):
            if re.match(r"[a-z]+:", target):
                continue
            path, _, anchor = target.partition("#")
            file = page.parent / path if path else page
            if not file.exists():
                bad.append(f"{page.relative_to(root)} -> {target}")
            elif anchor and anchor not in _anchors(file.read_text(encoding="utf-8")):
                bad.append(f"{page.relative_to(root)} -> {target} (no such heading)")
    assert not bad, f"links are relative and lead somewhere: {bad}"


def test_every_page_is_listed_in_the_index(root):
    index = (root / "docs" / "index.md").read_text(encoding="utf-8")
    pages = [str(p.relative_to(root / "docs")) for p in sorted(root.glob("docs/**/*.md")) if p.name != "index.md"]
    bad = [page for page in pages if f"({page})" not in index]
    assert not bad, f"docs/index.md tells for each page when to read it: {bad}"


def test_every_make_target_in_the_docs_exists(root):
    targets = set(re.findall(r"^([a-z][\w-]*):", (root / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    asked = {(page, word) for page, line in _commands(root) if line.startswith("make ") for word in line.split()[1:2]}
    bad = {(page, target) for page, target in asked if target not in targets}
    assert not bad, f"the docs name a make target that is not there: {bad}"


def test_the_docs_name_the_verbs_that_exist(root):
    verbs = {verb for verb in app if not verb.startswith("-")}
    asked = {(page, m[1]) for page, line in _commands(root) if (m := re.match(r"(?:\S*/)?headrace ([a-z-]+)", line))}
    bad = {(page, verb) for page, verb in asked if verb not in verbs}
    assert not bad, f"the docs name a verb that the command line does not have: {bad}"
    page = (root / "docs" / "reference" / "commands.md").read_text(encoding="utf-8")
    told = set(re.findall(r"^\| `headrace ([a-z-]+)`", page, re.MULTILINE))
    assert told == verbs, "docs/reference/commands.md has a row for every verb"


def test_every_invariant_has_a_test_and_every_mark_an_invariant(root, tests):
    declared = set(INVARIANT.findall((root / "docs" / "invariants.md").read_text(encoding="utf-8")))
    marks = [found for m in tests if m.path.parent.name != "house" for found in MARKED.findall(m.text)]
    proven = {name for found in marks for name in re.findall(r"[A-Z]\d+", found)}
    assert not declared - proven, f"no test carries @pytest.mark.inv for: {sorted(declared - proven)}"
    assert not proven - declared, f"tests carry ids that docs/invariants.md does not know: {sorted(proven - declared)}"


def test_every_bench_key_in_the_docs_is_made_by_a_bench(root):
    page = (root / "docs" / "reference" / "benches.md").read_text(encoding="utf-8")
    code = "\n".join(p.read_text(encoding="utf-8") for p in sorted((root / "src/headrace/app/bench").rglob("*.py")))
    keys = re.findall(r"^\| `([\w.<>]+)` \|", page, re.MULTILINE)
    assert keys, "docs/reference/benches.md lists the keys in the first column of its tables"
    parts = {(key, part) for key in keys for part in re.sub(r"<\w+>", "", key).split(".") if part}
    bad = sorted({key for key, part in parts if not re.search(rf"\b{part}\b", code)})
    assert not bad, f"a bench prints every key that the docs name: {bad}"


def test_every_dependency_is_accounted_for(root):
    project = _project(root)
    asked = [*project["project"]["dependencies"], *project["build-system"]["requires"]]
    asked += [r for extra in project["project"]["optional-dependencies"].values() for r in extra]
    asked += [r for group in project["dependency-groups"].values() for r in group if isinstance(r, str)]
    names = {Requirement(text).name.lower() for text in asked}
    page = (root / "docs" / "dependencies.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([\w.-]+) \| [^|]+ \| [^|]+ \| [^|]+ \|$", page, re.MULTILINE)
    told = {name.lower() for name in rows} - {"package"}
    assert not names - told, (
        f"docs/dependencies.md says for each: what for, licence, without it: {sorted(names - told)}"
    )
    assert not told - names, f"docs/dependencies.md lists what pyproject.toml does not ask for: {sorted(told - names)}"


def test_every_dependency_is_pinned(root):
    pins = {line.split("==")[0] for line in (root / "constraints.txt").read_text(encoding="utf-8").splitlines()}
    project = _project(root)["project"]
    groups = [*_project(root)["dependency-groups"].values(), *project["optional-dependencies"].values()]
    asked = [*project["dependencies"], *(r for group in groups for r in group if isinstance(r, str))]
    bad = {Requirement(text).name for text in asked} - pins
    assert not bad, f"run `make constraints` to pin: {bad}"


def test_no_copyleft_in_what_the_wheel_requires(root):
    waiting, seen, bad = [Requirement(r) for r in _project(root)["project"]["dependencies"]], set(), {}
    while waiting:
        asked = waiting.pop()
        if asked.name.lower() in seen or (asked.marker and not asked.marker.evaluate({"extra": ""})):
            continue
        seen.add(asked.name.lower())
        about = metadata.metadata(asked.name)
        classes = [c for c in about.get_all("Classifier") or [] if c.startswith("License")]
        licence = about.get("License-Expression") or " ".join([*classes, (about.get("License") or "")[:80]])
        if COPYLEFT.search(licence) and asked.name not in WEAK_COPYLEFT:
            bad[asked.name] = licence
        waiting += [Requirement(r) for r in metadata.requires(asked.name) or []]
    assert not bad, f"no copyleft in what the wheel requires: {bad}"
