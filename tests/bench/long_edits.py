"""Random edits without end: ``python -m tests.bench.long_edits --edits 100000 --seed 1``.

Every edit of the program on one project through the real undo store. After each one the rules are checked
(:func:`tests.document.random_edits.broken`), every tenth the saved text is read back and compared, every seventh is
undone and done again. The first broken rule ends the run with the seed and the number of the edit.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter

from PySide6.QtCore import QCoreApplication

from gen2studio.app.store import DocumentStore
from gen2studio.core.errors import EditRefused
from tests.document.random_edits import NAMES, SeededPicks, broken, edited, round_trip, start


def run(count: int, seed: int) -> int:
    """How many edits were made before a rule broke; ``count`` when none did. Refused ones do not count."""
    application = QCoreApplication.instance() or QCoreApplication([])
    picks, store = SeededPicks(seed), DocumentStore(start())
    made: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    most, began, undone, read = 0, time.process_time(), 0, 0
    while (number := made.total()) < count:
        name = picks.one(NAMES)
        before = store.document
        try:
            after = edited(before, name, picks)
        except EditRefused:
            refused[name] += 1
            continue
        except Exception as error:
            print(f"edit {number} ({name}, seed {seed}): {type(error).__name__}: {error}")
            raise
        if after is before:
            continue
        store.apply(name, after)
        made[name] += 1
        wrong = broken(store.document)
        if made.total() % 7 == 0:
            store.undo_stack.undo()
            if store.document != before:
                wrong.append("undo did not bring back what was")
            store.undo_stack.redo()
            if store.document != after:
                wrong.append("redo did not bring back what was")
            undone += 1
        if made.total() % 10 == 0:
            if not round_trip(store.document):
                wrong.append("what was read is not what was written")
            read += 1
        most = max(most, sum(len(t.clips) for s in store.document.sequences.values() for t in s.tracks))
        if wrong:
            print(f"edit {number} ({name}, seed {seed}) broke: {'; '.join(wrong)}")
            return number
        if number % 10_000 == 9_999:
            print(f"{number + 1:>8} edits", flush=True)
    print(f"{count} edits made, {refused.total()} more refused, no rule broken")
    spent = time.process_time() - began
    print(f"undone and redone {undone}, written and read {read}, up to {most} clips, {spent:.0f} s CPU")
    for name in NAMES:
        print(f"  {name:20}{made[name]:8} made {refused[name]:8} refused")
    del application
    return count


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--edits", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    return 0 if run(options.edits, options.seed) == options.edits else 1


if __name__ == "__main__":
    sys.exit(main())
