"""What makes a start cheap leaves the process as it would be."""

import gc
import os

import pytest

from goldpan import child_process
from goldpan.child_process import NUMPY_THREADS_VARIABLE
from goldpan.collector import paused_collector


def test_the_collector_is_on_again_after_imports() -> None:
    """Also after an error; and it stays off where it was off."""
    assert gc.isenabled()
    with paused_collector():
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(ImportError), paused_collector():
        raise ImportError
    assert gc.isenabled()
    gc.disable()
    try:
        with paused_collector():
            assert not gc.isenabled()
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_numpy_has_one_thread_unless_a_variable_says_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its pool spins at each start, and the matrices here are small."""
    for given, wanted in (("", "1"), ("3", "3")):
        with monkeypatch.context() as changed:
            changed.delenv(NUMPY_THREADS_VARIABLE, raising=False)
            if given:
                changed.setenv(NUMPY_THREADS_VARIABLE, given)
            child_process.limit_numpy_threads()
            assert os.environ.pop(NUMPY_THREADS_VARIABLE) == wanted
