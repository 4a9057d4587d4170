"""Two hundred writers killed in the middle of their work leave nothing torn."""

import subprocess
import sys
from pathlib import Path

from delocal.workers.local import run_plan
from delocal.workers.storage import PARTIAL
from delocal.workers.store import SweepStore

KILLS = 200
# A process that has imported all it needs, and no threads, forks writers and kills them: each
# writes the blocks of a sweep again and again, and lives for a block or two at most.
SCRIPT = f"""
import os, random, signal, sys, time
from delocal.physics.models import load_models
from delocal.service.request import SweepRequest
from delocal.workers.block import run_block
from delocal.workers.storage import PARTIAL
from delocal.workers.store import SweepStore
from delocal.workers.zarr_format import checksum_holds

plan = SweepRequest.parse({{
    "models": ["scaling"],
    "axes": {{"T": {{"geomspace": [1e-6, 1e-2, 400]}}, "W": {{"linspace": [1, 2, 500]}}}},
    "fixed": {{"d": 2, "alpha": 3, "beta": 3}},
}}).plan(block_cells=50_000)
store = SweepStore(sys.argv[1])
store.create(plan)
blocks = list(plan.parts[0].blocks)
for block in blocks[:2]:  # the first imports and compiles
    began = time.monotonic()
    run_block(store, "scaling", block)
longest = 2 * (time.monotonic() - began)
rng = random.Random(0)
torn = killed = 0
for kill in range({KILLS}):
    writer = os.fork()
    if not writer:
        while True:
            for block in rng.sample(blocks, len(blocks)):
                store.forget("scaling", block)
                run_block(store, "scaling", block)
    time.sleep(rng.uniform(0.001, longest))
    os.kill(writer, signal.SIGKILL)
    killed += os.WIFSIGNALED(os.waitpid(writer, 0)[1])
    for name in store.storage.names():
        if name.rpartition("/")[2].startswith("c.") and not name.endswith(PARTIAL):
            torn += not checksum_holds(store.storage.read(name))
    for block in blocks:
        receipt = store.signed("scaling", block)
        torn += receipt is not None and bool(list(store.damage("scaling", block, receipt)))
print(killed, torn)
"""


def test_a_writer_that_is_killed_leaves_whole_chunks_and_true_receipts(tmp_path):
    script = [sys.executable, "-c", SCRIPT, str(tmp_path / "sweep")]
    done = subprocess.run(script, capture_output=True, text=True, check=True, timeout=240)
    killed, torn = map(int, done.stdout.split())
    assert (killed, torn) == (KILLS, 0)
    store = SweepStore(tmp_path / "sweep")
    assert any(name.endswith(PARTIAL) for name in store.leftovers()), "no kill met a write"
    again, reference = run_plan(store.plan, store.root), run_plan(store.plan, tmp_path / "other")
    found, expected = (chunks(one.zarr_path) for one in (again, reference))
    assert found == expected
    assert not list(store.leftovers())


def chunks(root: Path) -> dict[str, bytes]:
    files = (path for path in root.rglob("*") if path.is_file() and path.name != "zarr.json")
    return {str(path.relative_to(root)): path.read_bytes() for path in files}
