"""Recorded feeds: files on disk, columns mapped by declaration."""
