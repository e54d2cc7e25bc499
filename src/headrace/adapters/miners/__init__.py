"""Miners: each firmware's dialect as a pure codec, and one engine that drives a fleet of any of them."""
