"""Its place puts `tests/` on the path, so that tests of every kind import the builders here by name."""
