"""Site files: TOML in, a checked `Site` out, every error named at once."""

from headrace.adapters.sitefile.errors import Problem, SiteFileError
from headrace.adapters.sitefile.json_schema import site_schema
from headrace.adapters.sitefile.load import LoadedSite, load_site, parse_site
from headrace.adapters.sitefile.template import new_site_text

__all__ = ["LoadedSite", "Problem", "SiteFileError", "load_site", "new_site_text", "parse_site", "site_schema"]
