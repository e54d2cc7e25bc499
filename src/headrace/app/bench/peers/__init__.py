"""Peers of `bench dispatch`, one per file, each driven the way its own users would for a rolling horizon.

A peer is called with one window after another and answers each with the objective it reached.
"""
