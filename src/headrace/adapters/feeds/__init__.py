"""Recorded feeds: files on disk, columns mapped by declaration.

Reading a site file needs the catalogue alone, so nothing is imported here: `recorded` brings the table reader with it.
"""
