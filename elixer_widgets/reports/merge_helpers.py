"""More processes to open small catalogues with: that is what merging thousands of them costs.

A helper is this module run by another Python. It gets a task on its standard input and answers on its standard output,
both pickled. (A pool of `multiprocessing` would run a user's script again in each process.)
"""

from __future__ import annotations

import os
import pickle
import select
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import IO, Any

from elixer_widgets._errors import DataError

STARTING = -1  # what a helper does that is not ready yet: it says so, and nobody waits for it
AHEAD = 4  # tasks a process that may be done before the one that is waited for: bounds the memory


def spare_cores() -> int:
    """How many processes may run beside this one; none on Windows, where pipes cannot be waited for."""
    if os.name != "posix":
        return 0
    try:
        return len(os.sched_getaffinity(0)) - 1
    except AttributeError:  # not on every system
        return (os.cpu_count() or 1) - 1


class Helper:
    """One more process; `busy` with the task of that number, `STARTING`, or None."""

    def __init__(self) -> None:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(each for each in sys.path if each)}
        self.process = subprocess.Popen(
            [sys.executable, "-c", f"from {__name__} import serve; serve()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
        )
        self.busy: int | None = STARTING

    @property
    def pipes(self) -> tuple[IO[bytes], IO[bytes]]:
        """Where tasks go and answers come from."""
        if self.process.stdin is None or self.process.stdout is None:
            raise ValueError("the process was begun without pipes")
        return self.process.stdin, self.process.stdout

    def ask(self, number: int, work: Callable[[Any], Any], task: Any) -> None:
        """Hand over a task."""
        tasks, _ = self.pipes
        pickle.dump((work, task), tasks, pickle.HIGHEST_PROTOCOL)
        tasks.flush()
        self.busy = number

    def answer(self) -> Any:
        """What has been found out, or the exception that was raised."""
        return pickle.load(self.pipes[1])

    def close(self) -> None:
        """End the process, whatever it does."""
        self.process.kill()
        for pipe in self.pipes:
            with suppress(OSError):  # what it was still to be told
                pipe.close()
        self.process.wait()


@contextmanager
def helpers(count: int) -> Iterator[list[Helper]]:
    """So many processes, ended with the block."""
    with ExitStack() as stack:
        crew = [Helper() for _ in range(count)]
        for each in crew:
            stack.callback(each.close)
        yield crew


def in_order(work: Callable[[Any], Any], tasks: Sequence[Any], crew: list[Helper]) -> Iterator[Any]:
    """`work(task)` for each task, in their order, done by this process and its helpers.

    Parameters
    ----------
    work : callable
        A function of a module, without state.
    tasks : sequence
    crew : list of Helper
        None of them at work; those that die are taken out. With none nothing needs to be pickled.

    Raises
    ------
    Exception
        What `work` raises; of several DataErrors that of the first task. A helper that dies loses nothing: its task is
        done here.
    """
    if not crew:
        yield from map(work, tasks)
        return
    done: dict[int, Any] = {}
    following = 0
    for wanted in range(len(tasks)):
        while wanted not in done:
            last = min(len(tasks), wanted + AHEAD * (len(crew) + 1))
            for each in [helper for helper in crew if helper.busy is None]:
                if following < last and not _handed(each, following, work, tasks[following]):
                    crew.remove(each)
                elif following < last:
                    following += 1
            mine = following < last
            _collect(crew, done, work, tasks, wait=not mine and wanted not in done)
            if mine and wanted not in done:
                done[following] = _tried(work, tasks[following])
                following += 1
        found = done.pop(wanted)
        if isinstance(found, DataError):
            raise found
        yield found


def _tried(work: Callable[[Any], Any], task: Any) -> Any:
    """What comes of a task; a DataError as a value, so that it is raised in its turn.

    Any other exception ends a helper; the task is then done where it is seen.
    """
    try:
        return work(task)
    except DataError as error:
        return error


def _handed(helper: Helper, number: int, work: Callable[[Any], Any], task: Any) -> bool:
    """Whether the helper took the task; it is gone if not."""
    try:
        helper.ask(number, work, task)
    except OSError:
        return False
    return True


def _collect(
    crew: list[Helper], done: dict[int, Any], work: Callable[[Any], Any], tasks: Sequence[Any], wait: bool
) -> None:
    """Take the answers that have come, waiting for one if nothing else is left to do."""
    busy = {helper.pipes[1]: helper for helper in crew if helper.busy is not None}
    ready, _, _ = select.select(list(busy), [], [], None if wait and busy else 0)
    for pipe in ready:
        helper = busy[pipe]
        number, helper.busy = helper.busy, None
        if number is None:
            continue
        try:
            found = helper.answer()
        except (EOFError, OSError, pickle.UnpicklingError):
            crew.remove(helper)
            found = _tried(work, tasks[number]) if number != STARTING else None
        if number != STARTING:
            done[number] = found


def serve() -> None:
    """Say that this process is ready, and do tasks until there are no more."""
    tasks, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # nothing that prints may come between the answers
    found: Any = None
    while True:
        pickle.dump(found, answers, pickle.HIGHEST_PROTOCOL)
        answers.flush()
        try:
            work, task = pickle.load(tasks)
        except EOFError:
            return
        found = _tried(work, task)
