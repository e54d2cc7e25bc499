"""`python -m headrace.sim.miners '{"dialect": "braiins", "count": 100}'` serves a fleet until its input ends."""

import sys

from headrace.sim.miners.serve import main

main(sys.argv[1:])
