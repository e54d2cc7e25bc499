"""Site files: TOML in, a checked `Site` out, every error named at once."""

from headrace.adapters.sitefile.errors import Problem, SiteFileError
from headrace.adapters.sitefile.load import LoadedSite, load_site, parse_site

__all__ = ["LoadedSite", "Problem", "SiteFileError", "load_site", "parse_site"]
