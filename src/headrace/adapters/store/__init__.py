"""Stores for the books."""
