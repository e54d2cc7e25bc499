"""A long list of gaps stays readable and loses no interval."""

from headrace.engine.results import DataGap
from headrace.interfaces.gaps import shortened


def gap(role: str, number: int) -> DataGap:
    return DataGap(role=role, start=f"2018-01-{number + 1:02d}T00:00:00Z", intervals=number + 1, substitute="the last")


def test_few_gaps_are_listed_as_they_are():
    gaps = tuple(gap("real_time", i) for i in range(6))
    assert shortened(gaps) == gaps


def test_many_gaps_end_in_one_row_that_holds_the_rest():
    gaps = (*(gap("real_time", i) for i in range(20)), gap("temperature", 0))
    rows = shortened(gaps)
    assert [row.start for row in rows if row.role == "real_time"][-1] == "15 more runs"
    assert sum(row.intervals for row in rows) == sum(each.intervals for each in gaps)
    assert rows[-1] == gaps[-1]
