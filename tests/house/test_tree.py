"""What may lie in the tree: nothing that ties it to one machine or one registry, no lock file, no bulk data."""

import re

DATA_MAX_KB = 300
DATA = {".parquet", ".csv", ".json", ".jsonl", ".bin", ".gz", ".zst", ".npz", ".sqlite", ".html", ".png", ".svg"}
# Put together from pieces so that this file does not find itself.
HOSTS = re.compile(
    "pypi" + r"\.org|files\.python" + r"hosted|registry\.npm" + "js|(?<!no-emit-)index" + "-url|/si" + "mple/"
)
PLACES = tuple("/" + name + "/" for name in ("root", "home", "work", "Users"))
UNDONE = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X)\b(?!\(#\d+\)|:? #\d+)")


def _lines(texts, found) -> list[str]:
    return [
        f"{path}:{number} {line.strip()[:100]}"
        for path, text in texts.items()
        for number, line in enumerate(text.splitlines(), 1)
        if found(line)
    ]


def test_no_file_names_a_package_registry(texts):
    bad = _lines(texts, HOSTS.search)
    assert not bad, f"where packages come from is the machine's business: pin versions without addresses: {bad}"


def test_no_file_names_a_place_on_one_machine(texts):
    bad = _lines(texts, lambda line: any(re.search(rf"(?<![\w.]){place}", line) for place in PLACES))
    assert not bad, f"paths are relative to the project or given by the user: {bad}"


def test_nothing_is_left_undone_without_an_issue(texts):
    bad = _lines(texts, UNDONE.search)
    assert not bad, f"name the issue that will do it, or do it: {bad}"


def test_no_lock_file_with_registry_addresses(files):
    bad = [path.name for path in files if path.name in {"uv.lock", "poetry.lock", "Pipfile.lock", "package-lock.json"}]
    assert not bad, f"a lock records registry addresses; constraints.txt pins without them (make constraints): {bad}"


def test_no_bulk_data_in_the_tree(files, root):
    sizes = {path: path.stat().st_size / 1000 for path in files if path.suffix in DATA}
    bad = {str(path.relative_to(root)): f"{kb:.0f} kB" for path, kb in sizes.items() if kb > DATA_MAX_KB}
    assert not bad, f"a data file has at most {DATA_MAX_KB} kB; larger ones stay outside, read with --data: {bad}"
