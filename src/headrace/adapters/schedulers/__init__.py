"""Schedulers of AI work, in whose accounts the fast path's deeds are written down afterwards."""
