"""Write a live journal again from its own facts."""

from pathlib import Path

import msgspec

from headrace.app.live.plan import LivePlan, live_header
from headrace.engine.journal import JournalWriter
from headrace.engine.live.journal import LiveJournal, read_live
from headrace.engine.live.reproduce import reproduced

__all__ = ["write_again"]

IN_MEMORY = 2016
"""Records between writes to disk: a copy that is thrown away can afford to lose some."""


def write_again(plan: LivePlan, journal: Path, again: Path) -> None:
    """Run `journal` again into `again`, with the site and the versions of now in its header."""
    was, records = read_live(journal)
    header = live_header(plan, is_shadow=was.kind == "shadow", at_s=0)
    header = msgspec.structs.replace(header, period=was.period)
    copy = LiveJournal(JournalWriter(again, header, fsync_every=IN_MEMORY))
    for record in reproduced(plan.state(), records, plan.planner):
        copy.append(record)
    copy.close()
