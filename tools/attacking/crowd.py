"""Many visitors at once, and one who stays all day."""

from __future__ import annotations

import asyncio
import statistics
import time

from attacking.bench import Count, Target, Watch, children, pss, until
from attacking.session import Session


async def _visit(target: Target, turns: int, times: list[float], together: asyncio.Barrier) -> None:
    # opened one after the other: a browser's own page would not do it faster
    session = await Session(target, await asyncio.to_thread(target.page)).connect()
    await session.open_first()
    await together.wait()
    for turn in range(turns):
        taken = await session.turn("ew-next" if turn < 10 else "ew-prev")
        times.append(taken)
    await together.wait()
    session.close()
    await asyncio.to_thread(target.close, session.kernel)


async def _all(target: Target, sessions: int, turns: int, times: list[float], seen: dict[str, object]) -> None:
    together = asyncio.Barrier(sessions + 1)
    visits = [asyncio.create_task(_visit(target, turns, times, together)) for _ in range(sessions)]
    await together.wait()
    seen["kernels"] = [pss(each) for each in children(target.process)]
    seen["server"] = pss(target.process)
    status, headers, text = await asyncio.to_thread(target.ask, "/")
    seen["next"] = (status, headers.get("Retry-After"), "free in" in text)
    await together.wait()
    await asyncio.gather(*visits)


def crowd(target: Target, sessions: int, turns: int) -> tuple[Count, str]:
    """So many sessions at once, each turning pages; what was seen, in words. The server must have as many places."""
    count, times, seen = Count(), [], {}  # type: ignore[var-annotated]
    with Watch(target) as watch:
        asyncio.run(_all(target, sessions, turns, times, seen))
    gone = until(lambda: len(children(target.process)) == 0, 60.0)
    count.outcomes["turns"] = len(times)
    count.check(gone, f"{len(children(target.process))} kernels were left")
    status, again, words = seen["next"]
    count.check(status == 503 and again and words, f"the next visitor saw {status}, {again}")
    count.check(not watch.failed, f"/healthz failed {watch.failed} times")
    ordered = sorted(times)
    return count, (
        f"{sessions} sessions: kernel {statistics.median(seen['kernels']):.0f} MB (PSS, median), all together "
        f"{sum(seen['kernels']) + seen['server']:.0f} MB; turn of a page with all at work: median "
        f"{statistics.median(times):.2f} s, 95 % {ordered[int(0.95 * (len(ordered) - 1))]:.2f} s; the next visitor: "
        f"{status}, to ask again in {again} s; kernels left: {len(children(target.process))}"
    )


async def _day(target: Target, turns: int) -> list[tuple[int, float, float]]:
    session = await Session(target, target.page()).connect()
    await session.open_first()
    (kernel,) = children(target.process)
    seen = []
    for turn in range(turns + 1):
        if turn % max(turns // 8, 1) == 0:
            seen.append((turn, pss(kernel), pss(target.process)))
        await session.turn("ew-next" if turn // 20 % 2 == 0 else "ew-prev")
    session.close()
    target.close(session.kernel)
    return seen


def day(target: Target, turns: int) -> tuple[Count, str]:
    """As many turns as a day has, one after the other; memory must not grow after the first eighth."""
    count = Count()
    begun = time.monotonic()
    seen = asyncio.run(_day(target, turns))
    count.outcomes["turns"] = turns
    grown = seen[-1][1] - seen[2][1], seen[-1][2] - seen[2][2]
    count.check(grown[0] < 30 and grown[1] < 10, f"memory grew: {seen}")
    steps = ", ".join(f"{turn}: {kernel:.0f} + {server:.0f}" for turn, kernel, server in seen)
    return count, f"{turns} turns in {time.monotonic() - begun:.0f} s; MB of kernel + server after turns {steps}"
