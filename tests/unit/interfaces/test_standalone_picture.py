"""A ladder as a file of its own is well-formed and needs nothing else."""

from xml.etree import ElementTree

from headrace.interfaces.moments import chosen_moments, ladder_at
from headrace.interfaces.report.standalone import ladder_svg
from result_builder import build_result


def test_a_ladder_stands_alone_as_svg():
    result = build_result()
    run = result.run("rolling")
    ladder = ladder_at(result.site, run, run.intervals["interval_start"][40])
    assert chosen_moments(result.site, run)
    root = ElementTree.fromstring(ladder_svg(result.site, ladder))
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    text = ElementTree.tostring(root, encoding="unicode")
    assert "url(" not in text
    assert "href" not in text
