"""What every kernel must be so that a worker process of one thread can run it."""

import gc
import pkgutil
from importlib import import_module

import numba
import pytest
from numba.core.dispatcher import Dispatcher

from delocal import physics


def kernels():
    """Return everything in the physics that numba compiles: inside of functions and tables too."""
    for module in pkgutil.walk_packages(physics.__path__, f"{physics.__name__}."):
        import_module(module.name)
    found = [thing for thing in gc.get_objects() if issubclass(type(thing), Dispatcher)]
    return [kernel for kernel in found if kernel.py_func.__module__.startswith(physics.__name__)]


def faults(kernel):
    """Return what is wrong with a kernel.

    One that holds the GIL keeps its worker from answering, so that it cannot be cancelled; two that
    start threads of their own at the same time abort the process. What is inlined has no call.
    """
    options = kernel.targetoptions
    found = ["starts threads"] if options.get("parallel") else []
    if options.get("inline") != "always":
        found += [] if options.get("nogil") else ["holds the GIL"]
        found += [] if kernel.stats.cache_path else ["is compiled in every process"]
    return found


def test_kernels_release_the_gil_start_no_threads_and_are_compiled_once():
    found = kernels()
    assert len(found) > 50
    names = {(k.py_func.__module__, k.py_func.__qualname__): faults(k) for k in found}
    assert {name: wrong for name, wrong in names.items() if wrong} == {}


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"nogil": True, "parallel": True, "cache": True}, "starts threads"),
        ({"cache": True}, "holds the GIL"),
        ({"nogil": True}, "is compiled in every process"),
    ],
)
def test_a_kernel_that_a_worker_cannot_run_is_found(options, fault):
    assert fault in faults(numba.njit(**options)(lambda x: x + 1))
