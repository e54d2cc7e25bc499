"""The board's page: one file, the same bytes, nothing loaded from elsewhere, whatever the site lacks."""

import re
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest

from headrace.core import Currency
from headrace.interfaces.report.page import render
from result_builder import build_result, build_site

VOID = {"meta", "link", "br"}
OPTIONAL = {"li", "p", "td", "th", "tr", "thead", "tbody"}


class _Checker(HTMLParser):
    """Counts what matters and refuses crossed elements (end tags that HTML lets one omit may be omitted)."""

    def __init__(self):
        super().__init__()
        self.open, self.ids, self.tags, self.described = [], [], [], 0

    def handle_starttag(self, tag, attrs):
        names = dict(attrs)
        self.tags.append(tag)
        if "id" in names:
            self.ids.append(names["id"])
        if tag == "svg":
            self.described += {"role", "aria-labelledby"} <= set(names)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        while self.open and self.open[-1] != tag and self.open[-1] in OPTIONAL:
            self.open.pop()
        assert self.open, f"</{tag}> closes nothing"
        assert self.open[-1] == tag, f"</{tag}> closes <{self.open[-1]}>"
        self.open.pop()


@pytest.fixture(scope="module")
def page():
    return render(build_result(days=3))


def _check(html):
    checker = _Checker()
    checker.feed(html)
    checker.close()
    assert not [tag for tag in checker.open if tag not in OPTIONAL]
    assert len(checker.ids) == len(set(checker.ids)), "an id is used twice"
    assert checker.described == checker.tags.count("svg"), "a picture has no title or description"
    return checker


def test_the_page_is_well_formed_and_every_picture_is_described(page):
    assert _check(page).tags.count("svg") >= 20


def test_the_page_loads_nothing_and_runs_nothing(page):
    assert set(re.findall(r"""\b(?:src|href|action)\s*=\s*["']?([^"'\s>]*)""", page)) == {"data:,"}
    assert not re.search(r"@import|url\(|https?://|<script|\son\w+=", page)


def test_the_same_result_gives_the_same_bytes(page, tmp_path):
    assert render(build_result(days=3), tmp_path / "board.html") == page
    assert (tmp_path / "board.html").read_text(encoding="utf-8") == page


def test_names_from_the_site_file_are_text_never_markup():
    html = render(build_result(days=2, site=build_site(name="<script>alert(1)</script>&\"'"), sensitivities=False))
    assert "<script" not in html
    assert "&lt;script&gt;alert(1)" in html
    _check(html)


@pytest.mark.parametrize(
    "lacking",
    [
        {"carbon": False},
        {"gaps": False},
        {"sensitivities": False},
        {"loss_per_mwh": 3000.0},
        {"loss_per_mwh": -200.0},
        {"site": build_site(battery=False)},
        {"site": build_site(mining=False)},
        {"site": build_site(wind=False, is_hub=False)},
        {"site": build_site(currency=Currency.EUR)},
        {"start": datetime(2021, 2, 12, 6, tzinfo=UTC)},
        {"start": datetime(2022, 3, 12, 6, tzinfo=UTC)},
    ],
    ids="-".join,
)
def test_the_page_stands_without_what_a_site_may_lack(lacking):
    html = render(build_result(days=2, **lacking))
    _check(html)
    assert "nan" not in re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL).lower().split()


def test_the_headline_the_baseline_and_the_hub_come_before_the_first_picture(page):
    head = page[: page.index("<svg")]
    assert "competent desk" in head
    assert "HB_SOUTH is a trading hub" in head


def test_what_is_missing_and_what_reproduces_it_is_on_the_page(page):
    assert "day-ahead price of the hour" in page
    assert "9f2c" * 8 in page
    assert "numpy 2.4.6" in page


def test_a_run_without_bid_and_ask_shows_no_ladder():
    result = build_result(days=2, sensitivities=False)
    alone = type(result)(**{**{f: getattr(result, f) for f in result.__struct_fields__}, "runs": result.runs[:1]})
    always_on = alone.runs[0]
    frame = always_on.intervals.with_columns(bid=None, ask=None)
    fields = {f: getattr(always_on, f) for f in always_on.__struct_fields__}
    blind = type(always_on)(**{**fields, "intervals": frame})
    html = render(type(result)(**{**{f: getattr(alone, f) for f in alone.__struct_fields__}, "runs": (blind,)}))
    assert "No policy of this replay made a plan" in html
    _check(html)


@pytest.mark.slow
def test_a_year_at_five_minutes_stays_under_half_a_megabyte():
    assert len(render(build_result(days=365)).encode()) < 500_000
