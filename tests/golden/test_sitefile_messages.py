"""What a person reads when a site file is wrong, case by case: the file, and beside it the exact message."""

from pathlib import Path

import pytest

from headrace.adapters.sitefile import SiteFileError, parse_site
from headrace.core import ExitCode

CASES = sorted((Path(__file__).parent / "sitefile").glob("*.toml"))


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_a_bad_site_file_names_every_problem(path):
    with pytest.raises(SiteFileError) as refused:
        parse_site(path.read_text(), Path(path.name))
    assert f"{refused.value}\n" == path.with_suffix(".txt").read_text()
    assert refused.value.exit_code is ExitCode.BAD_INPUT


def test_every_message_has_its_file():
    assert {path.stem for path in CASES} == {path.stem for path in (Path(__file__).parent / "sitefile").glob("*.txt")}
