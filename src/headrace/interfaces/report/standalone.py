"""One picture as a file of its own: the same drawing as on the board's page, with its style inside."""

from importlib import resources

from headrace.dispatch.ladder import Ladder
from headrace.dispatch.site import Site
from headrace.interfaces.report.ladder_picture import ladder_picture

__all__ = ["ladder_svg"]

WIDTH = 880.0


def ladder_svg(site: Site, ladder: Ladder) -> str:
    """Text of an SVG file with one ladder, light or dark as its reader prefers."""
    style = (resources.files("headrace.interfaces.report") / "templates" / "picture.css").read_text(encoding="utf-8")
    head, body = ladder_picture(site, ladder, width=WIDTH, key="ladder").split(">", 1)
    card = '<rect width="100%" height="100%" rx="8" style="fill:var(--card)"/>'
    return f'{head} xmlns="http://www.w3.org/2000/svg"><style>{style}</style>{card}{body}\n'
