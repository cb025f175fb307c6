"""Pages on a slow computer, and under random hands: what is on the screen belongs to the header, always."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from elixer_widgets.widgets import aladin
from tests.widgets.conftest import Visit

pytestmark = [pytest.mark.browser, pytest.mark.slow]

TOOLS = Path(__file__).parents[2] / "tools"

# anywidget gives a module 2 s, then refuses all that its model is ever told: here no module is ever in time
IMPATIENT = """
const timeout = AbortSignal.timeout.bind(AbortSignal);
AbortSignal.timeout = (ms) => timeout(ms === 2000 ? 0 : ms);
"""


def test_modules_that_come_late_hear_all_the_same(visit: Visit, voila: str, tmp_path: Path) -> None:
    page = visit.page
    page.add_init_script(IMPATIENT)
    page.goto(voila, timeout=120_000)
    visit.wait()
    # one after the other what Python tells: the page as a whole, a file, the images, the sky
    first = visit.text(".ew-who b")
    page.keyboard.press("n")
    visit.leaves(first)
    visit.drawn()
    assert visit.download(".ew-exports button:text-is('PDF')", tmp_path).read_bytes().startswith(b"%PDF")
    ring = ".ew-tile .ew-grip:not(.ew-move)"
    radius = page.get_attribute(ring, "rx")
    box = page.locator(".ew-tile .ew-grip.ew-move").first.bounding_box()
    page.mouse.move(box["x"] + box["width"], box["y"] + box["height"] / 2)
    page.mouse.down()
    for step in range(1, 5):
        page.mouse.move(box["x"] + box["width"] + 4 * step, box["y"] + box["height"] / 2)
    page.mouse.up()
    assert visit.holds(lambda: page.get_attribute(ring, "rx") != radius)
    visit.drawn()
    if aladin.LIBRARY.is_file():
        page.click(".ew-tab[data-key=sky]")
        page.wait_for_selector(".ew-sky [data-sky=shown]", state="attached", timeout=150_000)
    assert visit.elsewhere == []


@pytest.mark.parametrize(
    "how",
    [("--actions", "16", "--campaign", "--first", "2"), ("--actions", "10", "--lab", "--pages", "2")],
    ids=["a campaign in Voila", "two pages in a notebook"],
)
def test_random_hands_find_nothing_of_another_detection(simulated: Path, how: tuple[str, ...]) -> None:
    if "--lab" in how:
        pytest.importorskip("jupyterlab", reason="JupyterLab is not installed: pip install .[lab]")
    command = [sys.executable, str(TOOLS / "walk_page.py"), str(simulated), "--longest", "0.7", *how]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]
    assert "pages read" in done.stdout  # and was walked
