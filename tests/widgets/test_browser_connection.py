"""The kernel dies, is ended or goes with its server: the page says so, takes nothing, and goes on after a reload."""

from __future__ import annotations

import json
import os
import signal
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from elixer_widgets import open_release
from elixer_widgets.campaigns import Campaign, Definition
from elixer_widgets.widgets import dashboard
from tests.widgets.conftest import Visit
from tests.widgets.test_browser_lab import run_all

psutil = pytest.importorskip("psutil", reason="psutil is not installed: pip install .[test]")

pytestmark = [pytest.mark.browser, pytest.mark.slow]

STATE = "document.querySelector('.ew-page')?.dataset.connection"
FAR = 90_000  # ms: a loaded computer is slow to notice; nothing here is measured by time


def kernels(server: int) -> dict[str, int]:
    """The process of each kernel of a server, by the kernel's number."""
    found = {}
    for process in psutil.Process(server).children(recursive=True):
        line = " ".join(process.cmdline()) if process.is_running() else ""
        if "ipykernel" in line and "kernel-" in line:
            found[line.rsplit("kernel-", 1)[1].split(".json")[0]] = process.pid
    return found


def own(visit: Visit) -> str:
    """The number of the kernel that a page of Voila lives in."""
    return json.loads(visit.page.text_content("#jupyter-config-data", timeout=FAR) or "{}")["kernelId"]


def becomes(visit: Visit, state: str) -> None:
    visit.page.wait_for_function(f"{STATE} === '{state}'", timeout=FAR)


def refuses(visit: Visit, journal: Path, words: list[str]) -> None:
    """It says what happened and what to do, and no key or control does anything."""
    said = visit.text(".ew-connection:not([hidden])")
    assert all(each in said for each in words), said
    before, title = len(Campaign(journal).answers()), visit.page.title()
    for key in ("d", "n", "n", "e", "3"):
        visit.page.keyboard.press(key)
    visit.until("document.querySelector('.ew-connection').classList.contains('ew-refuses')")
    inert = visit.page.evaluate(
        "[...document.querySelector('.ew-page').children]"
        ".filter(each => !each.querySelector('.ew-connection')).every(each => each.inert)"
    )
    assert inert and visit.page.title() == title
    assert len(Campaign(journal).answers()) == before


def answer_noise(visit: Visit, count: int) -> None:
    visit.drawn()  # what is pressed before is not taken
    visit.page.keyboard.press("d")
    visit.page.keyboard.press("n")
    visit.page.wait_for_function(f"document.querySelector('.ew-progress b').textContent === '{count}'", timeout=FAR)


def test_what_happens_to_the_kernel_of_a_campaign_is_said_and_survived(
    visit: Visit, simulated: Path, private: dict[str, str], tmp_path: Path
) -> None:
    ids = tuple(int(each) for each in open_release(simulated).detectids())
    journal = tmp_path / "night"
    Campaign(journal, None, "ann", definition=Definition(ids, repeats=0.0))
    environment = {**private, dashboard.CAMPAIGN_VARIABLE: str(journal), dashboard.INSPECTOR_VARIABLE: "ann"}
    page = visit.page
    with dashboard.serving(simulated, warm=1, environment=environment, log=tmp_path / "log") as (url, server):
        page.goto(url, timeout=120_000)
        visit.wait()
        becomes(visit, "ok")
        answer_noise(visit, 1)
        answer_noise(visit, 2)

        # a kernel that computes is busy and not gone: stopped for a while, it is no more than slow
        kernel = kernels(server)[own(visit)]
        os.kill(kernel, signal.SIGSTOP)
        becomes(visit, "busy")
        os.kill(kernel, signal.SIGCONT)
        becomes(visit, "ok")

        os.kill(kernel, signal.SIGKILL)
        page.wait_for_function(f"['died', 'restarted', 'ended'].includes({STATE})", timeout=FAR)
        refuses(visit, journal, ["2 of", f"the last about {ids[1]}", "Reload"])

        # the next page waits in a kernel that was started before these answers were given
        page.click(".ew-connection button")
        page.wait_for_function(f"{STATE} === 'ok'", timeout=120_000)
        visit.wait()
        assert str(ids[2]) in page.url or str(ids[2]) in visit.text(".ew-who")
        assert visit.text(".ew-progress b") == "2"
        answer_noise(visit, 3)

        # ended by somebody, or after a long pause
        shut = urllib.request.Request(f"{url}/api/kernels/{own(visit)}", method="DELETE")
        os.kill(kernels(server)[own(visit)], signal.SIGKILL) if not _sent(shut) else None
        page.wait_for_function(f"['died', 'restarted', 'ended'].includes({STATE})", timeout=FAR)
        refuses(visit, journal, ["3 of", f"the last about {ids[2]}"])
        page.click(".ew-connection button")
        page.wait_for_function(f"{STATE} === 'ok'", timeout=120_000)
        visit.wait()
        answer_noise(visit, 4)
        said = visit.page.title()
    becomes(visit, "away")
    refuses(visit, journal, ["4 of", "The server does not answer"])
    assert page.title() == said
    assert [each.detectid for each in Campaign(journal).answers()] == list(ids[:4])


def test_in_a_notebook(visit: Visit, lab: str) -> None:
    def told(method: str, path: str) -> Any:
        """What the server's own interface answers to somebody of this browser."""
        return visit.page.evaluate(
            """async ([method, url]) => {
              const secret = document.cookie.match(/_xsrf=([^;]*)/)?.[1] ?? '';
              const reply = await fetch(url, { method, headers: { 'X-XSRFToken': secret } });
              return JSON.parse((await reply.text()) || 'null');
            }""",
            [method, f"{lab}/api/{path}"],
        )

    notebook = f"{lab}/lab/workspaces/severed/tree/notebooks/explorer.ipynb?reset"
    run_all(visit, notebook)
    becomes(visit, "ok")
    here = next(each["kernel"]["id"] for each in told("GET", "sessions") if each["path"].endswith("explorer.ipynb"))
    title = visit.text(".ew-who b")
    # restarted from elsewhere, then ended, as by a server that ends idle kernels
    for act, states in (
        (("POST", f"kernels/{here}/restart"), ["restarted", "died"]),
        (("DELETE", f"kernels/{here}"), ["ended", "died"]),
    ):
        told(*act)
        visit.page.wait_for_function(f"{states}.includes({STATE})", timeout=FAR)
        said = visit.text(".ew-connection:not([hidden])")
        assert ("run the cell that made this page again" in said.lower() and "safe" in said) or "saved" in said
        visit.page.evaluate("document.querySelector('.ew-page').focus({preventScroll: true})")
        visit.page.keyboard.press("n")
        visit.page.wait_for_timeout(1000)
        assert visit.text(".ew-who b") == title
        if act[0] == "POST":
            visit.page.click('.lm-MenuBar-itemLabel:has-text("Run")')
            visit.page.click('.lm-Menu-itemLabel:text-is("Run All Cells")')
            becomes(visit, "ok")
            visit.wait()


def _sent(request: Any) -> bool:
    try:
        with urllib.request.urlopen(request, timeout=20):
            return True
    except OSError:
        return False
