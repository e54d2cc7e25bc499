"""Recorded feeds: files on disk, columns mapped by declaration."""

from headrace.adapters.feeds.catalogue import catalogue
from headrace.adapters.feeds.declaration import FeedDeclaration, Publication
from headrace.adapters.feeds.recorded import RecordedFeed

__all__ = ["FeedDeclaration", "Publication", "RecordedFeed", "catalogue"]
