"""Benches: ratios against named peers of the same run, with the objectives that show the work was the same."""
