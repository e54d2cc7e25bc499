"""The same doors to a simulated world."""
