"""Well-formed messages to widgets that mean harm: wrong types, foreign targets, code to run, kernels to stop."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from attacking.bench import Count, Target, Watch
from attacking.session import Other, Session

VALUES: tuple[Any, ...] = (
    None, True, -1, 10**30, 1e308, "", "x" * 10_000, "\x00", "²", "٣", "9" * 5000, "../../etc/passwd",
    "<img src=x onerror=alert(1)>", "javascript:alert(1)", "IPY_MODEL_", "IPY_MODEL_nobody", [], {}, [[[[]]]],
    {"a": None}, ["x"] * 500, [None, {}], {"__class__": "x"}, float("nan"), [1e308, -1e308], [[1, 2], ["x"]],
)  # fmt: skip
WORDS = (
    "picked", "pressed", "painted", "page", "asked", "here", "event", "cursor", "clicked", "dragged", "dropped",
    "trial", "set", "reset", "answer", "comment", "answered", "view", "event_name", "event_type", "options", "name",
)  # fmt: skip
FOREIGN = ("jupyter.widget", "jupyter.widget.control2", "os", "__main__", "matplotlib", "ipyaladin", "", "subprocess")


def messages(session: Session, marker: Path, chance: random.Random) -> Iterator[tuple[str, str, Any, str]]:
    """Name, kind, content and channel of hostile messages, without end."""
    code = f"open({str(marker)!r}, 'w').write('run')"
    run = {"code": code, "silent": False, "store_history": False, "user_expressions": {"x": code}, "allow_stdin": True}
    models = sorted(session.models)

    def update() -> tuple[str, str, Any, str]:
        model = chance.choice(models)
        names = [*session.models[model], "no_such_trait", "_model_id", "__class__", "comm", "keys", "_esm", "layout"]
        state = {chance.choice(names): chance.choice(VALUES) for _ in range(chance.choice((1, 1, 3)))}
        return "update", "comm_msg", {"comm_id": model, "data": {"method": "update", "state": state}}, "shell"

    def custom() -> tuple[str, str, Any, str]:
        content = {chance.choice(WORDS): chance.choice(VALUES) for _ in range(chance.choice((1, 2)))}
        said: Any = content if chance.random() < 0.8 else chance.choice(VALUES)
        return "custom", "comm_msg", session.custom(chance.choice(models), said), "shell"

    def method() -> tuple[str, str, Any, str]:
        data = {
            "method": chance.choice(("request_state", "echo_update", "request_states", "", "exec", 3, None)),
            "state": chance.choice(VALUES), "buffer_paths": chance.choice(([["x"]], [[0, "a"]], 5, "x", [["a", "b"]])),
        }  # fmt: skip
        return "method", "comm_msg", {"comm_id": chance.choice((*models, session._control)), "data": data}, "shell"

    def opening() -> tuple[str, str, Any, str]:
        target = chance.choice((*FOREIGN, "jupyter.widget.control"))
        content = {"comm_id": chance.choice((*models, "x")), "target_name": target, "target_module": "os", "data": {}}
        return "comm_open", "comm_open", content, "shell"

    def closing() -> tuple[str, str, Any, str]:
        return "comm_close", "comm_close", {"comm_id": "nobody" + str(chance.random()), "data": {}}, "shell"

    def request() -> tuple[str, str, Any, str]:
        kind, content = chance.choice(
            (
                ("execute_request", run), ("input_reply", {"value": code}), ("shutdown_request", {"restart": True}),
                ("interrupt_request", {}), ("complete_request", {"code": code, "cursor_pos": 4}),
                ("inspect_request", {"code": code, "cursor_pos": 4, "detail_level": 1}),
                ("debug_request", {"type": "request", "command": "evaluate", "arguments": {"expression": code}}),
                ("history_request", {"hist_access_type": "tail", "n": 9}), ("apply_request", run),
                ("abort_request", {}), ("clear_request", {}), ("usage_request", {}), ("create_subshell_request", {}),
            )
        )  # fmt: skip
        return kind, kind, content, chance.choice(("shell", "control", "stdin", "iopub"))

    for make in itertools.cycle((update, custom, update, custom, method, opening, closing, request)):
        yield make()


async def _bid(target: Target, number: int, marker: Path, count: Count, seed: int) -> None:
    kernel = target.page()
    session = await Session(target, kernel).connect()
    if any("ew-landing-results" in (state.get("_dom_classes") or ()) for state in session.models.values()):
        await session.open_first()
    for name, kind, content, channel in itertools.islice(messages(session, marker, random.Random(seed)), number):
        what = f"{name}: {json.dumps(content)[:200]}"
        try:
            contents = await session.done(await session.send(kind, content, channel), 30.0)
        except (ConnectionError, TimeoutError) as error:
            count.outcomes["closed in words" if session.closed else "silent"] += 1
            count.check(session.closed.startswith("1008 ") and len(session.closed) > 8, f"{what}: {error!r}")
            session = await _again(session)
            continue
        count.outcomes["done or ignored"] += 1
        said = json.dumps(contents)
        count.check("Traceback" not in said and "root:x:" not in said, f"{what}: told {said[:200]}")
        count.check(name not in ("execute_request", "input_reply"), f"{what}: was passed on")
    # after all that the page still works, or was told in words that it does not
    try:
        session.showing = ""
        await session.turn("ew-next")
        count.outcomes["page turned at the end"] += 1
    except (RuntimeError, StopIteration):
        count.outcomes["page did not turn at the end"] += 1
    count.check(target.close(kernel) == 204, "the kernel did not live")


async def _again(session: Session) -> Session:
    """The same page, over a new line."""
    return await Session(session.target, session.kernel).connect()


def bid(target: Target, number: int, folder: Path, seed: int = 1) -> tuple[Count, str]:
    """So many hostile messages while another visitor turns pages; what was seen, in words."""
    count = Count()
    marker = folder / "was run"
    with Other(target) as other, Watch(target) as watch:
        before = len(other.turns)
        asyncio.run(_bid(target, number, marker, count, seed))
        during = len(other.turns) - before
        words = watch.judge(count)
    count.check(not marker.exists(), "code of a visitor was run")
    count.check(not other.wrong, f"the other visitor: {other.wrong}")
    return count, f"{words}; the other visitor turned {during} pages"
