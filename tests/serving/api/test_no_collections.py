"""No garbage collection inside, by any number of threads, and as before outside."""

from __future__ import annotations

import gc
import threading

from serving.api.no_collections import NoCollections


def test_the_last_one_out_turns_it_on_again():
    pause, inside, leave = NoCollections(), threading.Event(), threading.Event()

    def other():
        with pause:
            inside.set()
            leave.wait(20)

    thread = threading.Thread(target=other)
    assert gc.isenabled()
    with pause:
        thread.start()
        assert inside.wait(20) and not gc.isenabled()
    assert not gc.isenabled()
    leave.set()
    thread.join()
    assert gc.isenabled()


def test_where_it_was_off_it_stays_off():
    gc.disable()
    try:
        with NoCollections():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
