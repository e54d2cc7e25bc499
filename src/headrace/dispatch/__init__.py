"""Which MW goes where over the horizon, and what the next MW is worth.

In: a `Site` and what is known at a time, or a bare `Problem`. Out: `Plan | Infeasible`; a plan carries bid and ask of
power in every step, and `ladder` turns one step into the ladder.
"""
