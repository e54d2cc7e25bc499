"""Assertions that stay on in production: a broken one is a bug, never bad input."""

__all__ = ["require"]


def require(condition: bool, message: str) -> None:
    """Stop on a broken invariant.

    Parameters
    ----------
    condition
        What must hold.
    message
        What was expected and what was found, with values and units.

    Raises
    ------
    AssertionError
        If `condition` is false; the site's automation goes to safe mode on it.
    """
    if not condition:
        raise AssertionError(message)
