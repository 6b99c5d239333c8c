"""What runs behind the panels, without a browser and without widgets: which runs, in which thread, and what is told."""

import asyncio
import gc
import sys
import threading
import time
import types
import weakref

import pytest
from panels import PATIENCE, wait_until

from nlkit.live.driver import Driver, pick_mode


def threads() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name == "nlkit panel"]


@pytest.fixture(autouse=True)
def no_thread_is_left():
    yield
    gc.collect()
    wait_until(lambda: not threads())


class FakeClock:
    """Time that passes only when told to. A driver that waits for it looks at it again and again."""

    def __init__(self):
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def wait(self, wake: threading.Event, seconds: float) -> None:
        assert seconds > 0
        wake.wait(0.001)


class Watched:
    """A driver and all that it has told."""

    def __init__(self, make, **options):
        self.events, self.states = [], []
        self.clock = FakeClock()
        self.driver = Driver(
            make, self.events.append, self.keep_state, clock=self.clock, wait=self.clock.wait, **options
        )

    def keep_state(self):
        self.states.append(self.driver.state)

    def finish(self):
        assert self.driver.join(PATIENCE)


def count_to(number):
    yield from range(1, number + 1)


def endless(name):
    """Yields (name, 1), (name, 2), … with the thread's name, until closed."""
    number = 0
    while True:
        number += 1
        time.sleep(0.001)
        yield name, number


@pytest.mark.parametrize("mode", ["thread", "blocking"])
def test_a_run_is_delivered_in_order_and_its_states_are_told(mode):
    watched = Watched(count_to, mode=mode)
    assert watched.driver.state == "idle" and not watched.driver.busy
    watched.driver.start(3)
    watched.finish()
    assert watched.events == [1, 2, 3]
    assert watched.states == ["waiting", "running", "done"]
    watched.driver.start(1)
    watched.finish()
    assert watched.events == [1, 2, 3, 1]


def test_a_thread_leaves_the_caller_free_and_a_blocking_start_returns_when_the_run_is_over():
    seen = []

    def make(_settings):
        seen.append(threading.current_thread())
        yield

    for mode in ("thread", "blocking"):
        watched = Watched(make, mode=mode)
        watched.driver.start()
        watched.finish()
    assert seen[0] is not threading.main_thread() and seen[0].daemon
    assert seen[1] is threading.main_thread()


def test_stop_acts_between_steps_and_nothing_comes_after_it():
    watched = Watched(endless, mode="thread")
    watched.driver.start("a")
    wait_until(lambda: len(watched.events) > 2)
    watched.driver.stop()
    told = len(watched.events)
    assert watched.states[-1] == watched.driver.state == "stopped"
    watched.finish()
    assert len(watched.events) == told
    watched.driver.stop()
    assert watched.states.count("stopped") == 1  # there was nothing to stop


def test_a_stopped_run_is_closed():
    closed = threading.Event()

    def make(_settings):
        try:
            yield from endless("a")
        finally:
            closed.set()

    watched = Watched(make, mode="thread")
    watched.driver.start()
    wait_until(lambda: watched.events)
    watched.driver.stop()
    assert closed.wait(PATIENCE)


def test_stop_also_forgets_a_request_that_waits():
    watched = Watched(count_to, mode="thread")
    watched.driver.request(3)
    watched.driver.stop()
    watched.clock.now = 10
    watched.finish()
    assert not watched.events and watched.driver.state == "stopped"


def test_a_newer_start_takes_the_place_of_the_older_run():
    watched = Watched(endless, mode="thread")
    watched.driver.start("old")
    wait_until(lambda: watched.events)
    watched.driver.start("new")
    told = len(watched.events)
    wait_until(lambda: len(watched.events) > told + 2)
    assert {name for name, _ in watched.events[told:]} == {"new"}
    assert watched.events[told] == ("new", 1)
    assert len(threads()) == 1
    watched.driver.close()


def test_a_request_waits_until_no_other_comes_and_the_latest_wins():
    made = []

    def make(settings):
        made.append(settings)
        yield settings

    watched = Watched(make, mode="thread", delay=0.25)
    watched.driver.request("first")
    watched.clock.now = 0.24
    time.sleep(0.02)
    watched.driver.request("second")
    watched.clock.now = 0.48  # over a delay after the first, not after the second
    time.sleep(0.05)
    assert not made and watched.driver.state == "waiting"
    watched.clock.now = 0.5
    watched.finish()
    assert made == watched.events == ["second"]


def test_fifty_requests_in_three_seconds_leave_one_run_with_the_last_values_and_one_thread():
    made = []

    def make(settings):
        made.append(settings)
        yield from endless(settings)

    watched = Watched(make, mode="thread")
    watched.driver.start("before")
    wait_until(lambda: watched.events)
    most = 0
    for number in range(50):
        watched.driver.request(number)
        told = len(watched.events)
        watched.clock.now += 0.06
        most = max(most, len(threads()))
    watched.clock.now += 0.25
    wait_until(lambda: len(watched.events) > told + 5)
    assert made == ["before", 49]
    assert {name for name, _ in watched.events[told:]} == {49}
    assert most == len(threads()) == 1
    watched.driver.close()


@pytest.mark.parametrize("mode", ["thread", "blocking"])
@pytest.mark.parametrize("where", ["make", "run", "on_event"])
def test_an_exception_is_told_and_the_next_run_works(mode, where):
    def make(settings):
        if settings == "bad" and where == "make":
            raise ValueError("ratio=2 must be smaller")
        return run(settings)

    def run(settings):
        if settings == "bad" and where == "run":
            raise ValueError("ratio=2 must be smaller")
        yield settings

    watched = Watched(make, mode=mode)
    if where == "on_event":

        def refuse(event):
            if event == "bad":
                raise ValueError("ratio=2 must be smaller")
            watched.events.append(event)

        watched.driver.on_event = refuse
    watched.driver.start("bad")
    watched.finish()
    assert watched.states[-1] == "failed" and not watched.events
    assert isinstance(watched.driver.error, ValueError) and "ratio=2" in str(watched.driver.error)
    watched.driver.start("good")
    watched.finish()
    assert watched.events == ["good"] and watched.driver.state == "done" and watched.driver.error is None


def test_a_driver_that_is_collected_ends_its_run_and_its_thread():
    closed = threading.Event()

    def make(_settings):
        try:
            yield from endless("a")
        finally:
            closed.set()

    class Owner:
        def __init__(self):
            self.seen = 0
            self.driver = Driver(make, self.count, mode="thread")

        def count(self, _event):
            self.seen += 1

    owners = [Owner()]
    owners[0].driver.start()
    wait_until(lambda: owners[0].seen > 2)
    assert threads()
    gone = weakref.ref(owners.pop())
    wait_until(lambda: gc.collect() is not None and gone() is None)
    assert closed.wait(PATIENCE)
    wait_until(lambda: not threads())


def test_a_closed_driver_starts_nothing_more():
    watched = Watched(endless, mode="thread")
    watched.driver.start("a")
    watched.driver.close()
    told = len(watched.events)
    watched.driver.start("b")
    watched.driver.request("c")
    watched.finish()
    assert len(watched.events) == told and not threads()


def test_a_patient_driver_lets_a_run_end_and_skips_to_the_latest():
    release, made = threading.Event(), []

    def make(settings):
        made.append(settings)
        release.wait(PATIENCE)
        yield settings

    watched = Watched(make, mode="thread", delay=0, patient=True)
    watched.driver.start(1)
    wait_until(lambda: made)
    for settings in (2, 3, 4):
        watched.driver.start(settings)
    release.set()
    watched.finish()
    assert watched.events == made == [1, 4]
    assert watched.states[-1] == "done" and watched.states.count("done") == 1


def test_a_run_in_blocking_mode_may_start_the_next_one():
    watched = Watched(count_to, mode="blocking")

    def go_on(event):
        watched.events.append(event)
        if event == 3:
            watched.driver.request(2)

    watched.driver.on_event = go_on
    watched.driver.start(3)
    assert watched.events == [1, 2, 3, 1, 2] and not threads()


def test_an_interrupted_blocking_run_is_stopped_and_can_be_started_again():
    watched = Watched(count_to, mode="blocking")

    def interrupt(_event):
        raise KeyboardInterrupt

    watched.driver.on_event = interrupt
    with pytest.raises(KeyboardInterrupt):
        watched.driver.start(2)
    assert watched.driver.state == "stopped"
    watched.driver.on_event = watched.events.append
    watched.driver.start(2)
    assert watched.events == [1, 2]


def test_asyncio_runs_between_the_other_tasks_of_the_loop():
    watched, ticks = Watched(count_to, mode="asyncio"), []

    async def tick():
        while watched.driver.state != "done":
            ticks.append(len(watched.events))
            await asyncio.sleep(0)

    async def main():
        watched.driver.start(20)
        assert not watched.events  # a start returns at once
        await asyncio.wait_for(tick(), PATIENCE)

    asyncio.run(main())
    assert watched.events == list(range(1, 21))
    assert len(set(ticks)) > 10  # the loop had its turn between most steps


def test_asyncio_can_stop_and_debounces():
    watched = Watched(endless, mode="asyncio")

    async def main():
        watched.driver.request("a")
        watched.driver.request("b")
        await asyncio.sleep(0.02)
        assert watched.driver.state == "waiting"
        watched.clock.now = 0.3
        while len(watched.events) < 3:
            await asyncio.sleep(0.01)
        watched.driver.stop()
        told = len(watched.events)
        await asyncio.sleep(0.02)
        assert len(watched.events) == told and watched.events[0] == ("b", 1)

    asyncio.run(asyncio.wait_for(main(), PATIENCE))


def test_asyncio_without_a_loop_runs_at_once():
    watched = Watched(count_to, mode="asyncio")
    watched.driver.start(2)
    assert watched.events == [1, 2]


def test_the_mode_follows_where_the_code_runs(monkeypatch):
    shell = types.SimpleNamespace()
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))
    assert pick_mode() == "blocking"
    shell.kernel = object()
    assert pick_mode() == "thread"
    monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))
    assert pick_mode() == "asyncio"
    assert Driver(count_to).mode == "asyncio"
    with pytest.raises(ValueError, match="mode='threads' is not known; did you mean 'thread'"):
        Driver(count_to, mode="threads")
