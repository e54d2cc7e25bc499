"""Reading an operator's XML with the standard library, and nothing that XML can do beyond data."""

import xml.etree.ElementTree as ET

from headrace.core import BadInput

__all__ = ["tag", "xml_root"]


def xml_root(where: str, body: bytes) -> ET.Element:
    """Root of a document.

    A document type could define entities that unfold to any size or name files, and data needs none, so one that has it
    is refused before it is parsed; the standard library's parser fetches nothing from outside in any case.

    Raises
    ------
    BadInput
        If it is not UTF-8, not well-formed, or brings a document type.
    """
    again = "Ask again later"
    try:
        words = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(where, "a reply that is no UTF-8", again) from error
    if "<!DOCTYPE" in words.upper() or "<!ENTITY" in words.upper():
        raise BadInput(where, "a document type or entity, which market data does not have", again)
    try:
        return ET.fromstring(words)
    except (ET.ParseError, ValueError) as error:
        raise BadInput(where, f"no whole XML document ({error})", "The reply was cut short: ask again") from error


def tag(element: ET.Element) -> str:
    """Name of an element without its namespace, whose version operators raise now and then."""
    return element.tag.rpartition("}")[2]
