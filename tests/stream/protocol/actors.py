"""Threads that run one at a time and stop wherever the test says: between any two effects."""

import threading
from collections.abc import Callable
from typing import Any


class CrashError(Exception):
    """The process dies here."""


class Stage:
    """Knows whose turn it is. Code that runs on the stage calls ``pause`` where it may be stopped.

    Outside of any actor ``pause`` does nothing.
    """

    def __init__(self) -> None:
        self._now: Actor | None = None
        self.actors: list[Actor] = []

    def start(self, act: Callable[[], Any]) -> "Actor":
        """Make an actor that has not taken its first step."""
        actor = Actor(self, act)
        self.actors.append(actor)
        return actor

    def pause(self, place: str) -> None:
        """Let the test decide whether and when to go on."""
        if self._now is not None:
            self._now.wait(place)

    def take_turn(self, actor: "Actor | None") -> None:
        """Say who runs."""
        self._now = actor


class Actor:
    """One piece of work. ``result`` or ``error`` is set once it is ``done``."""

    def __init__(self, stage: Stage, act: Callable[[], Any]) -> None:
        self._stage = stage
        self._act = act
        self._go = threading.Semaphore(0)
        self._back = threading.Semaphore(0)
        self._doomed = False
        self.place = "start"
        self.done = False
        self.result: Any = None
        self.error: Exception | None = None
        threading.Thread(target=self._run, daemon=True).start()

    def step(self) -> None:
        """Run to the next pause, or to the end."""
        self._stage.take_turn(self)
        self._go.release()
        self._back.acquire()
        self._stage.take_turn(None)

    def finish(self) -> None:
        """Run to the end."""
        while not self.done:
            self.step()

    def crash(self) -> None:
        """Die at the present pause."""
        self._doomed = True
        self.finish()

    def wait(self, place: str) -> None:
        """Give the turn back; called on the actor's own thread."""
        if self._doomed:
            raise CrashError
        self.place = place
        self._back.release()
        self._go.acquire()
        if self._doomed:
            raise CrashError

    def _run(self) -> None:
        self._go.acquire()
        try:
            if not self._doomed:
                self.result = self._act()
        except Exception as error:  # noqa: BLE001 - the test looks at it
            self.error = error
        finally:
            self.done = True
            self._stage.actors.remove(self)
            self._back.release()


class PausingHandle:
    """A handle that stops before it reads the log, and before and after it writes to it.

    ``fate`` is asked before each write what is to go wrong: nothing, the request, or its reply.
    """

    def __init__(self, real: Any, stage: Stage, name: str, fate: Callable[[], str]) -> None:
        self._real = real
        self._stage = stage
        self._name = name
        self._fate = fate

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def update_incremental(self) -> None:
        """Stop, then read the log."""
        self._stage.pause(f"{self._name}: reading")
        self._real.update_incremental()

    def create_write_transaction(self, *args: Any, **more: Any) -> None:
        """Stop, write, stop."""
        self._stage.pause(f"{self._name}: writing")
        fate = self._fate()
        if fate == "request lost":
            raise OSError(fate)
        self._real.create_write_transaction(*args, **more)
        self._stage.pause(f"{self._name}: written")
        if fate == "reply lost":
            raise OSError(fate)
