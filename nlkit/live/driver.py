"""What runs behind a panel: a `Driver` takes a generator from step to step while the kernel stays free.

It knows nothing of widgets or training. Of three ways of driving, `pick_mode` chooses one:
- `thread`, where a Jupyter kernel runs (JupyterLab, Notebook, VS Code, Voilà, nbval): one daemon thread, which is there
  only while there is something to do;
- `asyncio`, on Colab, which does not show what another thread changes: the kernel's own event loop, between tasks;
- `blocking`, where no kernel is (scripts, tests): a start returns when the run is over.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator

from nlkit.checks import check_choice, check_number

MODES = ("thread", "asyncio", "blocking")
STATES = ("idle", "waiting", "running", "stopped", "done", "failed")
_OVER = object()
_drivers: weakref.WeakSet[Driver] = weakref.WeakSet()


def pick_mode() -> str:
    """How a run can be driven here: "thread", "asyncio" or "blocking" (see the top of this file)."""
    if "google.colab" in sys.modules:
        return "asyncio"
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return "thread" if hasattr(shell, "kernel") else "blocking"


class Driver:
    """Drives one run at a time. A newer run takes the place of an older one, of which nothing more is delivered.

    make: settings -> an iterator of events. It is called, and asked for events, without any lock, so it may take long.
        It must not refer to whoever owns the driver, which could then not be garbage-collected while it runs.
    on_event, on_state: called with an event, or after `state` has changed, by whichever thread is at work, one at a
        time: both hold `lock`, and an owner that changes what they use should hold it too.
    delay: seconds without a further `request` after which the latest one is run.
    patient: let a run end before the next one begins. For short runs, such as one picture, which a moving slider would
        otherwise always overtake.
    clock, wait: the time in seconds, and a wait of at most so many seconds for an Event; for tests.
    """

    def __init__(
        self,
        make: Callable[[object], Iterator[object]],
        on_event: Callable[[object], None] = lambda event: None,
        on_state: Callable[[], None] = lambda: None,
        *,
        mode: str | None = None,
        delay: float = 0.25,
        patient: bool = False,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[threading.Event, float], object] = threading.Event.wait,
    ):
        self.mode = pick_mode() if mode is None else check_choice("mode", mode, MODES)
        self.delay = check_number("delay", delay, 0)
        self.make, self.on_event, self.on_state, self.patient = make, on_event, on_state, patient
        self.state, self.error = "idle", None
        self.lock = threading.RLock()
        self._clock, self._wait = clock, wait
        self._wake = threading.Event()
        self._pending: tuple[float, object] | None = None  # when it is due, and its settings
        self._run: _Run | None = None
        self._worker: threading.Thread | asyncio.Task | None = None
        self._closed = False
        _drivers.add(self)

    @property
    def busy(self) -> bool:
        """Whether something runs or waits to be run."""
        return self.state in ("waiting", "running")

    def start(self, settings: object = None) -> None:
        """Run now, in place of what runs or waits."""
        self._ask(settings, 0.0)

    def request(self, settings: object = None) -> None:
        """Run once no further request has come for `delay` seconds; the latest settings win."""
        self._ask(settings, 0.0 if self.mode == "blocking" else self.delay)  # there, nothing moves meanwhile

    def stop(self) -> None:
        """Deliver nothing more of what runs or waits; the step in progress ends by itself. Else nothing changes."""
        with self.lock:
            if self.busy:
                self._drop()
                self._enter("stopped")

    def close(self) -> None:
        """Stop for good: later starts and requests do nothing."""
        with self.lock:
            self._closed = True
            self.on_event, self.on_state = lambda event: None, lambda: None
            self.stop()

    def join(self, timeout: float) -> bool:
        """Wait in another thread's mode until nothing runs or waits; False if that took over `timeout` seconds."""
        worker = self._worker
        if isinstance(worker, threading.Thread) and worker is not threading.current_thread():
            worker.join(timeout)
            return not worker.is_alive()
        return not self.busy

    def _ask(self, settings: object, delay: float) -> None:
        with self.lock:
            if self._closed:
                return
            if not self.patient:
                self._run = None
            self._pending = (self._clock() + delay, settings)
            self._wake.set()
            if self._run is None:
                self._enter("waiting")
            if self._worker is not None:
                return
            mode, reference = self.mode, weakref.ref(self)
            if mode == "thread":
                self._worker = threading.Thread(target=_work, args=(reference,), name="nlkit panel", daemon=True)
                return self._worker.start()
            if mode == "asyncio":
                with contextlib.suppress(RuntimeError):  # no event loop runs: do it now instead
                    self._worker = asyncio.get_running_loop().create_task(_work_between_tasks(reference))
                    return
            self._worker, self._pending = threading.current_thread(), (self._clock(), settings)
        try:
            _work(reference)
        except KeyboardInterrupt:
            self.stop()
            raise

    def _drop(self) -> None:
        self._pending = self._run = None
        self._wake.set()

    def _enter(self, state: str, error: Exception | None = None) -> None:
        self.state, self.error = state, error
        self.on_state()

    def _next(self) -> _Run | float | None:
        """The run to take a step of, or the seconds to wait first, or None when there is nothing to do."""
        with self.lock:
            if self._run is None and self._pending:
                due, settings = self._pending
                left = due - self._clock()
                if left > 0:
                    self._wake.clear()
                    return left
                self._pending, self._run = None, _Run(self.make, settings)
                self._enter("running")
            if self._run is None:
                self._worker = None
            return self._run

    def _deliver(self, run: _Run, event: object) -> None:
        with self.lock:
            if run is not self._run:
                return run.close()
            failure = event if isinstance(event, _Failure) else None
            if event is not _OVER and not failure:
                try:
                    self.on_event(event)
                except Exception as error:  # whatever went wrong, the state tells it
                    failure = _Failure(error)
            if failure or event is _OVER:
                self._run = None
                if self._pending:
                    self._enter("waiting")
                else:
                    self._enter("failed" if failure else "done", failure.error if failure else None)


class _Run:
    """A run that knows nothing of its driver, so that a thread in the middle of a step does not keep the driver."""

    def __init__(self, make: Callable[[object], Iterator[object]], settings: object):
        self.make, self.settings, self.events = make, settings, None

    def step(self) -> object:
        try:
            if self.events is None:
                self.events = iter(self.make(self.settings))
            return next(self.events, _OVER)
        except Exception as error:
            return _Failure(error)

    def close(self) -> None:
        if hasattr(self.events, "close"):
            self.events.close()


class _Failure:
    def __init__(self, error: Exception):
        self.error = error


def _turn(reference: weakref.ref[Driver]) -> float | None:
    """One step of what there is to do. Returns the seconds to wait before the next one, None when nothing is left."""
    driver = reference()
    run = driver._next() if driver else None
    del driver
    if not isinstance(run, _Run):
        return run
    event = run.step()
    driver = reference()
    if driver is None:
        run.close()
        return None
    driver._deliver(run, event)
    return 0.0


def _work(reference: weakref.ref[Driver]) -> None:
    with _gives_up_its_place(reference):
        while (seconds := _turn(reference)) is not None:
            if seconds and (driver := reference()):
                wait, wake = driver._wait, driver._wake
                del driver
                wait(wake, seconds)


async def _work_between_tasks(reference: weakref.ref[Driver]) -> None:
    with _gives_up_its_place(reference):
        while (seconds := _turn(reference)) is not None:
            await asyncio.sleep(min(seconds, 0.05))  # a start or a stop must not wait for an old delay


@contextlib.contextmanager
def _gives_up_its_place(reference: weakref.ref[Driver]) -> Iterator[None]:
    """A worker that is interrupted leaves a driver that can be started again."""
    try:
        yield
    except BaseException:
        if driver := reference():
            driver._worker = None
        raise


@atexit.register
def _close_all() -> None:
    """A thread that is within a step of torch when the interpreter goes away can bring the process down."""
    for driver in list(_drivers):
        driver.close()
        driver.join(2)
