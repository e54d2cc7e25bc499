"""Composition of a live site: clock, feeds, real or simulated doors, journal, and the engine over them."""
