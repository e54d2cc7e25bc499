"""Headrace decides where each megawatt of a flexible compute campus goes, and proves what it earned."""

__all__ = ["__version__"]

__version__ = "0.1.0"
