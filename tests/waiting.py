"""Waiting for what happens beside a test, on a machine that may be slow and busy."""

import time

PATIENCE = 120
"""Seconds: a process that starts takes two, on a busy machine of a quarter of the speed twenty."""


def eventually(condition, patience=PATIENCE):
    """Return what `condition` returns, once that is true."""
    end = time.monotonic() + patience
    while not (found := condition()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)
    return found
