"""The page as a dashboard of its own: a Voila server on this computer, and what its notebook runs."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import webbrowser
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from importlib.util import find_spec
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import ProxyHandler, build_opener

from elixer_widgets._arguments import path as given_path
from elixer_widgets._cache import working_folder
from elixer_widgets._errors import DataError
from elixer_widgets._files import named_path
from elixer_widgets._login import login
from elixer_widgets.widgets.starting import REINSTALL, lay_out, own_folders, private_options, require_port, tried
from elixer_widgets.widgets.visitors import SECRET_VARIABLE, TOKEN_VARIABLE, new_token

if TYPE_CHECKING:
    import ipywidgets as W

    from elixer_widgets.campaigns import Campaign
    from elixer_widgets.widgets.explorer import Explorer
    from elixer_widgets.widgets.state import ExplorerState

RELEASE_VARIABLE = "ELIXER_WIDGETS_RELEASE"
"""The environment variable that tells the dashboard which release to open."""

CAMPAIGN_VARIABLE = "ELIXER_WIDGETS_CAMPAIGN"
"""The environment variable that names the folder of a classification campaign, whose queue is then shown."""

INSPECTOR_VARIABLE = "ELIXER_WIDGETS_INSPECTOR"
"""The environment variable that names who answers."""

SIMULATED = "simulated_release"
"""Folder of a simulated release, looked for from the working directory upwards."""

UNMADE = "cell_error_instruction=The page could not be made; the messages of its server say why."
"""Voila's own advice is for who writes notebooks."""

IDLE = 300
"""Seconds after which the kernel of a page without a connection is ended; that of a closed page ends at once."""

TABS = 8
"""Pages of one dashboard open at once."""

PATIENT = "--VoilaExecutor.iopub_timeout=120"
"""On a loaded computer what the notebook shows comes later than the 4 s that are waited for otherwise, and is then left
out: the page would stay empty."""

_CELL = "from elixer_widgets.widgets.dashboard import page\n\npage()"
_CHECK = "from elixer_widgets.widgets.dashboard import check\n\ncheck()"

# this computer is asked directly, whatever stands between it and others
_DIRECT = build_opener(ProxyHandler({}))


# ------------------------------------------------------------------------------------- what the notebook runs


def release_path() -> Path:
    """The release to open: the one named in the environment, else a simulated one, made if there is none.

    Returns
    -------
    Path
        `$ELIXER_WIDGETS_RELEASE`; else a folder `simulated_release` here or further up; else a simulated release in
        the user's cache, made at the first use (under a minute).
    """
    named = os.environ.get(RELEASE_VARIABLE, "").strip()
    if named:
        return named_path(named, RELEASE_VARIABLE)
    here = Path.cwd()
    for above in (here, *here.parents):
        if (above / SIMULATED).is_dir():
            return above / SIMULATED
    from elixer_widgets.simulation.kept import kept_release  # slow to import, and seldom needed

    return kept_release()


def campaign_of(data: str) -> Campaign | None:
    """The campaign that the environment names, answered by whom it names, else by who is logged in; None for none."""
    named = os.environ.get(CAMPAIGN_VARIABLE, "").strip()
    if not named:
        return None
    from elixer_widgets.campaigns import Campaign  # most pages collect no answers

    return Campaign(named, None, os.environ.get(INSPECTOR_VARIABLE) or login(), data=data)


def follow_query(state: ExplorerState, query: str) -> None:
    """Show what an address asks for: `detectid`, and `z` or `identity`, as `?detectid=2100000001&z=0.417`.

    What cannot be followed is said in `state.message`; the page opens all the same.
    """
    from elixer_widgets.widgets.address import follow

    follow(state, query)


def page() -> W.Widget:
    """The explorer on the release of `release_path`, at the detection that the address asks for.

    Made for the dashboard notebook, whose only cell calls it. What goes wrong is shown as a sentence.
    """
    import ipywidgets as W

    from elixer_widgets.widgets.markup import escape
    from elixer_widgets.widgets.visitor import await_visitor, limit_memory

    limit_memory(float("inf"))
    # a kernel prepared ahead of its visitor learns the address only when somebody opens the page
    ahead = os.environ.get("VOILA_PREHEAT") == "True"
    made = _opened("" if ahead else os.environ.get("QUERY_STRING", ""))
    if ahead:
        await_visitor()
        made = _arrived(made, os.environ.get("QUERY_STRING", ""))
    if isinstance(made, DataError):
        return W.HTML(f'<p style="font:16px sans-serif;padding:2em" role="alert">{escape(str(made))}</p>')
    return made


def _opened(query: str) -> Explorer | DataError:
    """The explorer as things are at this moment, or why there is none."""
    from elixer_widgets.releases.stated import open_stated
    from elixer_widgets.widgets.address import detectid_of
    from elixer_widgets.widgets.explorer import Explorer

    try:
        release = open_stated(release_path())
        explorer = Explorer(release, campaign=campaign_of(release.name), detectid=detectid_of(query))
    except DataError as error:
        return error
    _follow(explorer, query)
    return explorer


def _arrived(made: Explorer | DataError, query: str) -> Explorer | DataError:
    """What was prepared ahead, as it is when its visitor comes, maybe hours later."""
    if isinstance(made, DataError) or (made.campaign is not None and made.campaign.outdated):
        return _opened(query)
    _follow(made, query)
    return made


def _follow(explorer: Explorer, query: str) -> None:
    """Go where the address leads; in a campaign, with the answers given until now."""
    from elixer_widgets.widgets.address import detectid_of

    follow_query(explorer.state, query)
    if explorer.desk is not None:
        explorer.desk.arrive(asked=detectid_of(query) is not None)


def check() -> None:
    """See that a page could be made, less what takes long; run in a kernel before the server's address is told.

    Raises
    ------
    DataError
        If the release cannot be opened or holds nothing.
    """
    from elixer_widgets.releases.stated import open_stated

    # looked for and not imported: what the page itself imports a moment later would be waited for twice
    for name in ("ipywidgets", "bqplot", "anywidget", "ipyaladin", "voila"):
        if find_spec(name) is None:
            raise DataError(f"no page can be made: {name} is not installed; {REINSTALL}")
    release = open_stated(release_path())
    detectids = release.detectids()
    if not len(detectids):
        raise DataError(f"{release.path}: holds no detections; there is nothing to show")
    if len(detectids) == 1:
        release.detection(int(detectids[0]))


# ------------------------------------------------------------------------------------------------- the server


def free_port() -> int:
    """A port of this computer that nobody listens on."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _command(notebook: Path, port: int, warm: int, at: str = "") -> list[str]:
    # A closed page ends its kernel by itself; one without a connection, as after a broken tunnel, some minutes later.
    command = [
        sys.executable, "-m", "elixer_widgets.widgets.voila_app", str(notebook),
        "--no-browser", f"--port={port}",
        "--Voila.ip=127.0.0.1", "--template=elixer", "--VoilaConfiguration.file_allowlist=(?!)",
        f"--VoilaExecutor.{UNMADE}", PATIENT,
        f"--Published.most_sessions={TABS}", f"--Published.grace={IDLE}",
        *private_options(notebook.parent),
    ]  # fmt: skip
    if at:
        command.append(f"--Published.socket={at}")
    return [*command, "--preheat_kernel=True", f"--pool_size={warm}"] if warm else command


def _socket_answers(path: str, part: str) -> bool:
    """Whether a server of ours answers at a Unix socket."""
    connection = HTTPConnection("localhost", timeout=2)
    try:
        with closing(socket.socket(socket.AF_UNIX)) as line:
            line.settimeout(2)
            line.connect(path)
            connection.sock = line
            connection.request("GET", f"{part.rstrip('/')}/healthz")
            return connection.getresponse().status == HTTPStatus.OK
    except (OSError, HTTPException):
        return False


def answers(url: str) -> bool:
    """Whether a server of ours answers at `url`, an address or `unix:PATH|PART`."""
    if url.startswith("unix:"):
        path, _, part = url.removeprefix("unix:").partition("|")
        return _socket_answers(path, part)
    try:
        with _DIRECT.open(f"{url}/healthz", timeout=2):
            return True
    except (URLError, OSError):
        return False


@contextmanager
def running(
    path: str | PathLike[str],
    port: int = 0,
    *,
    warm: int = 0,
    environment: Mapping[str, str] | None = None,
    log: Path | None = None,
    patience: float = 60.0,
    token: str = "",
) -> Iterator[str]:
    """A dashboard server on this computer, for the time of a `with` block.

    Parameters
    ----------
    path : path
        The release.
    port : int
        0 takes a free one.
    warm : int
        Pages prepared ahead of their visitors. Each costs the memory of a kernel (about 300 MB).
    environment : mapping, optional
        More environment variables for the server.
    log : Path, optional
        Where the server writes; by default to standard error.
    patience : float
        Seconds to wait for the server's first answer.
    token : str
        What a visitor must bring in the address; "" lets in every user of this computer.

    Yields
    ------
    str
        The address, `http://127.0.0.1:8866`.

    Raises
    ------
    DataError
        If there is nothing at `path`, or the server ends or stays silent.
    """
    with _server(path, port, warm, environment or {}, log, patience, token=token) as (url, _process):
        yield url


@contextmanager
def serving(
    path: str | PathLike[str],
    port: int = 0,
    *,
    warm: int = 0,
    environment: Mapping[str, str] | None = None,
    log: Path | None = None,
) -> Iterator[tuple[str, int]]:
    """As `running`, for who must know the server's process number as well: (address, number)."""
    with _server(path, port, warm, environment or {}, log, 60.0) as (url, process):
        yield url, process.pid


@contextmanager
def _server(
    path: str | PathLike[str],
    port: int,
    warm: int,
    environment: Mapping[str, str],
    log: Path | None,
    patience: float,
    *,
    token: str = "",
    at: str = "",
) -> Iterator[tuple[str, subprocess.Popen]]:
    """What `running` says; the address and the server's process."""
    release = given_path(path, "explore: path").resolve()
    if not release.exists():
        raise DataError(f"{release}: there is nothing there; give the folder or file of a release")
    port = port or free_port()
    url = f"unix:{at}|/" if at else f"http://127.0.0.1:{port}"
    if at and answers(url):
        raise DataError(f"{at} is taken by another server; give another")
    if not at:
        require_port("127.0.0.1", port)
    with working_folder("elixer-dashboard-") as folder:
        notebook = lay_out(folder, _CELL)
        variables = {
            **os.environ,
            **environment,
            **own_folders(folder),
            RELEASE_VARIABLE: str(release),
            TOKEN_VARIABLE: token,
            SECRET_VARIABLE: "",
            "JUPYTER_PATH": jupyter_path(folder / "jupyter"),
        }
        # the kernel is tried while the server starts, so that nobody waits for it
        with ExitStack() as stack:
            conclude = stack.enter_context(tried(folder, _CHECK, variables | {TOKEN_VARIABLE: ""}))
            process = stack.enter_context(
                hosting(_command(notebook, port, warm, at), folder, variables, url, log, patience)
            )
            conclude()
            yield url, process


@contextmanager
def hosting(
    command: list[str], folder: Path, environment: Mapping[str, str], url: str, log: Path | None, patience: float
) -> Iterator[subprocess.Popen]:
    """A server's process, from its first answer at `url` to the end of the block."""
    with ExitStack() as opened:
        output = opened.enter_context(open(log, "wb")) if log is not None else None
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=output, stderr=output)
        try:
            await_server(process, url, patience)
            yield process
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def jupyter_path(ours: Path) -> str:
    """JUPYTER_PATH with a folder of ours before what is there."""
    known = os.environ.get("JUPYTER_PATH")
    return str(ours) if not known else os.pathsep.join((str(ours), known))


def await_server(server: subprocess.Popen, url: str, patience: float) -> None:
    """Wait for the first answer; DataError if the server ends or stays silent."""
    end = time.monotonic() + patience
    while not answers(url):
        if server.poll() is not None:
            raise DataError(f"the server at {url} ended with code {server.returncode}; its messages say why")
        if time.monotonic() > end:
            raise DataError(f"the server at {url} did not answer within {patience:g} s; try another port")
        time.sleep(0.1)


def serve(
    path: str | PathLike[str],
    port: int = 8866,
    open_browser: bool = True,
    *,
    detectid: int | None = None,
    warm: int = 1,
    at: str = "",
) -> None:
    """Serve the page on a release to the browsers of the person who started it, until interrupted.

    Other users of this computer are not let in: the address that is shown and opened holds a token, which the browser
    keeps as a cookie.

    Parameters
    ----------
    path : path
        The release: anything `open_release` opens.
    port : int
        0 takes a free one.
    open_browser : bool
        Whether to open the page in the person's browser.
    detectid : int, optional
        The detection to show first.
    warm : int
        Pages prepared ahead of their visitors, so that a reload or a second page is there at once.
    at : str
        A Unix socket to listen at, instead of a port; only its owner can reach it.

    Raises
    ------
    DataError
        If there is nothing at `path`, or the server does not start.
    """
    if threading.current_thread() is threading.main_thread():
        # ended from outside, the server must not stay behind
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    token = "" if at else new_token()
    with ended_by_hand(), _server(path, port, warm, {}, None, 60.0, token=token, at=at) as (url, process):
        asked = ({} if detectid is None else {"detectid": str(detectid)}) | ({"token": token} if token else {})
        address = f"{url}/?{urlencode(asked)}"
        if at:
            sys.stderr.write(f"ELiXer Widgets: the socket {at} (end with Ctrl-C)\n")
        else:
            sys.stderr.write(f"ELiXer Widgets: {address} (end with Ctrl-C)\n")
        if open_browser and not at:
            webbrowser.open(address)
        process.wait()
        raise DataError(f"the server at {url} ended with code {process.returncode}; its messages say why")


@contextmanager
def ended_by_hand() -> Iterator[None]:
    """An interruption is the usual end of a server, at whatever moment it comes."""
    try:
        yield
    except KeyboardInterrupt:
        sys.stderr.write("ended\n")
