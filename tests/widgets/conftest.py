"""Fixtures of the page: a state on made-up data, and a real browser on real servers."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from lab_server import lab_running

from elixer_widgets.widgets import dashboard
from elixer_widgets.widgets import state as state_module
from elixer_widgets.widgets.explorer import Explorer
from elixer_widgets.widgets.state import ExplorerState
from tests.widgets import fakes

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM_ARGUMENTS = [
    "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--use-gl=angle",
    "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
]  # fmt: skip
LOCAL = ("http://127.0.0.1", "http://localhost", "ws://127.0.0.1", "ws://localhost", "data:", "blob:")


# ----------------------------------------------------------------------------------------- without a browser


@pytest.fixture
def counts() -> dict[str, int]:
    """How often the page measured and interpreted."""
    return {"measure": 0, "interpret": 0}


@pytest.fixture
def faked(monkeypatch: pytest.MonkeyPatch, counts: dict[str, int]) -> None:
    """Made-up measurements instead of real ones, counted; none in the background."""

    def counting(name: str, function: Callable) -> Callable:
        def call(*args: Any, **options: Any) -> Any:
            counts[name] += 1
            return function(*args, **options)

        return call

    monkeypatch.setattr(state_module, "NEIGHBOURS", ())
    monkeypatch.setattr(state_module, "measure", counting("measure", fakes.measure))
    monkeypatch.setattr(state_module, "interpret", counting("interpret", fakes.interpret))


@pytest.fixture
def state(faked: None) -> ExplorerState:
    """A state that shows the first made-up detection."""
    made = ExplorerState(fakes.FakeRelease())
    made.start()
    return made


@pytest.fixture
def explorer(faked: None) -> Explorer:
    """The whole page on the made-up release."""
    return Explorer(fakes.FakeRelease())


# -------------------------------------------------------------------------------------------- with a browser


@pytest.fixture(scope="module")  # not longer: its event loop would be in the way of other tests
def browser() -> Iterator[Any]:
    """A Chromium that is installed on this computer; nothing is downloaded."""
    path = next((found for name in CHROMIUM_NAMES if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip(f"no browser: none of {', '.join(CHROMIUM_NAMES)} is installed; install one to test the page")
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed: pip install .[browser]"
    )
    with playwright.sync_playwright() as driver:
        launched = driver.chromium.launch(executable_path=path, args=CHROMIUM_ARGUMENTS)
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def private(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Environment variables that keep the servers' files out of the person's home."""
    folder = tmp_path_factory.mktemp("jupyter")
    names = ("JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR", "MPLCONFIGDIR")
    return {name: str(folder / name.lower()) for name in names}


@pytest.fixture(scope="session")
def voila(simulated: Path, private: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a dashboard on the simulated release."""
    log = tmp_path_factory.mktemp("voila") / "voila.log"
    with dashboard.running(simulated, environment=private, log=log) as url:
        yield url


@pytest.fixture(scope="session")
def lab(simulated: Path, private: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a JupyterLab on a copy of the notebooks."""
    pytest.importorskip("jupyterlab", reason="JupyterLab is not installed: pip install .[lab]")
    folder = tmp_path_factory.mktemp("lab")
    shutil.copytree(Path(__file__).parents[2] / "notebooks", folder / "notebooks")
    with lab_running(folder, {**private, dashboard.RELEASE_VARIABLE: str(simulated)}) as url:
        yield url


class Visit:
    """A browser page that keeps what must not happen: requests to other computers and errors."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.elsewhere: list[str] = []
        self.errors: list[str] = []
        page.on("request", lambda request: request.url.startswith(LOCAL) or self.elsewhere.append(request.url))
        page.on("websocket", lambda socket: socket.url.startswith(LOCAL) or self.elsewhere.append(socket.url))
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def wait(self) -> None:
        """Until the page of the explorer is drawn."""
        self.page.wait_for_selector(".ew-spectrum .bqplot svg path.line", state="attached", timeout=120_000)
        self.page.wait_for_selector(".ew-verdict-line .ew-line", timeout=60_000)
        self.drawn()

    def drawn(self) -> None:
        """Until all that the page was told is painted."""
        self.page.wait_for_function(
            "() => [...document.querySelectorAll('.ew-page')].every((e) => e.dataset.drawn === e.dataset.stamp)",
            timeout=60_000,
        )

    def text(self, selector: str) -> str:
        """What stands in the first element that matches."""
        return self.page.inner_text(selector)

    def labels(self) -> list[str]:
        """The line labels in the spectrum."""
        texts = self.page.eval_on_selector_all(
            ".ew-spectrum .bqplot svg text.label", "found => found.map(each => each.textContent)"
        )
        return [text for text in texts if text]

    def until(self, expression: str) -> None:
        """Wait until a JavaScript expression holds."""
        self.page.wait_for_function(expression, timeout=30_000)

    def shows(self, detectid: object) -> None:
        """Until the page of this detection is painted: before that it takes no key and no click."""
        self.until(f"document.querySelector('.ew-who b')?.textContent === '{detectid}'")
        self.drawn()

    def leaves(self, detectid: object) -> None:
        """Until the page of another detection is painted."""
        self.until(f"document.querySelector('.ew-who b')?.textContent !== '{detectid}'")
        self.drawn()

    def holds(self, check: Callable[[], bool], seconds: float = 30.0) -> bool:
        """Whether something comes to hold: panels follow a change one after the other."""
        end = time.monotonic() + seconds
        while not check():
            if time.monotonic() > end:
                return False
            self.page.wait_for_timeout(50)
        return True

    def download(self, selector: str, folder: Path) -> Path:
        """Click, and keep the file that the browser saves."""
        with self.page.expect_download(timeout=60_000) as waiting:
            self.page.click(selector)
        path = folder / waiting.value.suggested_filename
        waiting.value.save_as(path)
        return path

    def clean(self) -> None:
        """Assert that nothing left the computer and nothing failed."""
        assert self.elsewhere == []
        assert self.errors == []


@pytest.fixture
def visit(browser: Any) -> Iterator[Visit]:
    """A fresh page of 1440 x 900."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, accept_downloads=True)
    yield Visit(context.new_page())
    context.close()
