"""The reference linear programme, row by row in HiGHS: slow, readable, and the proof of the fast path."""
