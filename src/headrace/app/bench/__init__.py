"""Benches: ratios against named peers measured in the same run, with the objective values that show the work was the same."""
