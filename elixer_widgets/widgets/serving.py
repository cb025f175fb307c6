"""Publish a release: a server for people who are not the one who started it."""

from __future__ import annotations

import argparse
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from elixer_widgets._cache import working_folder
from elixer_widgets._errors import DataError
from elixer_widgets._files import named_path
from elixer_widgets.widgets.dashboard import (
    PATIENT,
    RELEASE_VARIABLE,
    UNMADE,
    answers,
    ended_by_hand,
    free_port,
    hosting,
    jupyter_path,
)
from elixer_widgets.widgets.starting import lay_out, own_folders, private_options, require_port, tried
from elixer_widgets.widgets.visitors import SECRET_VARIABLE, TOKEN_VARIABLE

USER = re.compile(r"[\w.@+-]{1,64}", re.ASCII)
"""What a visitor's name may be."""

CELL = "from elixer_widgets.widgets.published import page\n\npage()"
CHECK = "from elixer_widgets.widgets.published import check\n\ncheck()"

NEEDED = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TZ",
    "TMPDIR",
    "VIRTUAL_ENV",
    "PYTHONPATH",
    "JUPYTER_PATH",
    "XDG_CACHE_HOME",
    "JUPYTERHUB_USER",
)
"""Variables that the server hands on; nothing else of the starter's environment reaches a page."""


@dataclass(frozen=True)
class Publication:
    """How a release is published.

    Attributes
    ----------
    address : str
        Of this computer, to listen at. 127.0.0.1 behind a reverse proxy.
    port : int
        0 takes a free one.
    sessions : int
        Pages open at once; the next visitor is asked to come back.
    warm : int
        Pages prepared ahead of their visitors.
    memory : float
        GB that one page may take.
    cpu : int
        Seconds of a processor that one page may take; a turn takes about one.
    idle : int
        Seconds without a sign of life after which a page's kernel is ended. A closed page ends its own at once.
    grace : int
        Seconds that a page may be without connection before it counts as closed.
    base_url : str
        The part of the address before the page, behind a hub or proxy: `/elixer/`.
    user_header : str
        Header in which the server in front names the user. Then visitors that it does not name are refused.
    campaign : str
        Folder of a campaign to which named visitors give answers; without one, and for strangers, all is read-only.
    hosts : tuple of str
        Names under which the page is served, as visitors' browsers show them: `hetdex.example.org`. This computer's own
        name, localhost and addresses in numbers are always served.
    secret_file : str
        A file, readable by its owner alone, with what the proxy sends in the header `X-Elixer-Secret`. Without it, or a
        Unix socket, no proxy's word about users is taken: any user of this computer could say the same.
    socket, socket_mode : str
        A Unix socket to listen at instead of a port, and its permissions.
    each : int
        Pages open at once of one address; 0 for no limit.
    """

    address: str = "127.0.0.1"
    port: int = 8866
    sessions: int = 20
    warm: int = 2
    memory: float = 2.0
    cpu: int = 7200
    idle: int = 1800
    grace: int = 30
    base_url: str = "/"
    user_header: str = ""
    campaign: str = ""
    hosts: tuple[str, ...] = ()
    secret_file: str = ""
    socket: str = ""
    socket_mode: str = "600"
    each: int = 0

    def __post_init__(self) -> None:
        if self.sessions < 1 or self.warm < 0 or self.idle < 60 or self.grace < 1 or not 0.5 <= self.memory <= 1024:
            raise DataError(
                f"sessions {self.sessions}, warm {self.warm}, idle {self.idle}, memory {self.memory}: give at least "
                "1 session, no fewer than 0 warm pages, 60 s or more, and 0.5 to 1024 GB"
            )
        if self.cpu < 60:
            raise DataError(f"processor time {self.cpu}: give at least 60 s; opening a page takes some already")
        if not re.fullmatch(r"/([\w.~-]+/)*", self.base_url):
            raise DataError(f"base URL {self.base_url!r}: begin and end it with a slash, as /elixer/")
        if self.user_header and not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]{0,63}", self.user_header):
            raise DataError(f"{self.user_header!r} is no name of a header; give one such as X-Forwarded-User")
        if self.campaign and not (self.user_header or os.environ.get("JUPYTERHUB_USER")):
            raise DataError(
                f"campaign {self.campaign}: nobody is named here, and answers are never anonymous; give the header in "
                "which the proxy names the user, or run it under JupyterHub"
            )
        if self.user_header and not (self.secret_file or self.socket):
            raise DataError(
                f"header {self.user_header}: any user of this computer could send it; give --secret-file with what the "
                "proxy sends in X-Elixer-Secret, or let the proxy come by a Unix socket (--socket)"
            )
        if not re.fullmatch(r"[0-7]{3}", self.socket_mode):
            raise DataError(f"socket mode {self.socket_mode!r}: give three octal digits, such as 600 or 660")
        if (self.user_header or self.campaign) and self.address not in ("127.0.0.1", "::1", "localhost"):
            raise DataError(
                f"{self.address}: who a visitor is, is only believed from a server on this computer; listen at "
                "127.0.0.1 and let the proxy reach the page there"
            )


def secret_of(path: str) -> str:
    """What the proxy must bring, from its file.

    Raises
    ------
    DataError
        If the file cannot be read, others can read it, or it holds too little to be a secret.
    """
    if not path:
        return ""
    file = named_path(path, "the proxy's secret")
    try:
        text, mode = file.read_text(encoding="ascii").strip(), file.stat().st_mode
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{file}: the proxy's secret cannot be read ({error}); give a file of ASCII text") from error
    if mode & 0o077:
        raise DataError(f"{file}: others can read the proxy's secret; say chmod 600 {file}")
    if not 16 <= len(text) <= 200 or not text.isprintable() or " " in text:
        raise DataError(f"{file}: give a secret of 16 to 200 letters and digits, as from: openssl rand -hex 24")
    return text


def own_names() -> tuple[str, ...]:
    """The names of this computer."""
    return tuple({socket.gethostname().lower(), socket.getfqdn().lower()} - {""})


def command(notebook: Path, port: int, how: Publication) -> list[str]:
    """The server's command line."""
    options = [
        "--no-browser", f"--port={port}", f"--Voila.ip={how.address}", f"--base_url={how.base_url}",
        "--template=elixer", "--VoilaConfiguration.show_tracebacks=False", "--VoilaConfiguration.file_allowlist=(?!)",
        f"--VoilaExecutor.{UNMADE}",
        f"--Published.most_sessions={how.sessions}", f"--Published.each_sessions={how.each}",
        f"--Published.grace={how.grace}",
        "--MappingKernelManager.cull_interval=30", PATIENT,
        f"--MappingKernelManager.cull_idle_timeout={how.idle}", "--MappingKernelManager.cull_connected=True",
    ]  # fmt: skip
    options += [f"--Published.hosts={name}" for name in (*how.hosts, *own_names())]
    options += private_options(notebook.parents[1])
    if how.socket:
        options += [f"--Published.socket={how.socket}", f"--Published.socket_mode={how.socket_mode}"]
    if how.user_header:
        options += [
            f"--Published.user_header={how.user_header}",
            f"--VoilaConfiguration.http_header_envs={how.user_header}",
        ]
    if how.warm:
        options += ["--preheat_kernel=True", f"--pool_size={how.warm}"]
    return [sys.executable, "-m", "elixer_widgets.widgets.voila_app", str(notebook), *options]


@contextmanager
def publishing(
    path: str | PathLike[str],
    catalog: str | PathLike[str] | None = None,
    how: Publication | None = None,
    *,
    log: Path | None = None,
) -> Iterator[tuple[str, subprocess.Popen]]:
    """A published release, for the time of a `with` block.

    Parameters
    ----------
    path : path
        The release.
    catalog : path, optional
        An ELiXer catalogue with the classes that visitors search by.
    how : Publication
    log : Path, optional
        Where the server writes; by default to standard error.

    Yields
    ------
    str
        The address of the page.
    Popen
        The server.

    Raises
    ------
    DataError
        If the release or the catalogue cannot be read, or the server does not start.
    """
    from elixer_widgets.campaigns import Campaign
    from elixer_widgets.releases.search_index import build_index
    from elixer_widgets.releases.stated import open_stated
    from elixer_widgets.widgets.published import (
        CAMPAIGN_VARIABLE,
        CPU_VARIABLE,
        INDEX_VARIABLE,
        MEMORY_VARIABLE,
        USER_VARIABLE,
    )

    how = how or Publication()
    secret = secret_of(how.secret_file)
    release = open_stated(path)
    index = build_index(release, catalog)
    campaign = str(named_path(how.campaign, "Publication: campaign").resolve()) if how.campaign else ""
    if campaign:
        Campaign(campaign)  # that there is one is found out before visitors come
    if not len(index):
        raise DataError(f"{release.path}: holds no detections; there is nothing to publish")
    port = how.port or free_port()
    host = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}.get(how.address, how.address)
    host = f"[{host}]" if ":" in host else host
    url = f"unix:{how.socket}|{how.base_url}" if how.socket else f"http://{host}:{port}{how.base_url}"
    if how.socket and answers(url.rstrip("/")):
        raise DataError(f"{how.socket} is taken by another server; give another")
    if not how.socket:
        require_port(how.address, port)
    with working_folder("elixer-published-") as folder:
        # of the server's folder only the notebook is ever read, and that by the server itself
        served = folder / "page"
        served.mkdir()
        notebook = lay_out(served, CELL)
        index.save(folder / "index")
        variables = {name: os.environ[name] for name in NEEDED if name in os.environ}
        variables |= {name: value for name, value in os.environ.items() if name.startswith("ELIXER_WIDGETS_")}
        variables |= own_folders(folder)
        variables |= {
            RELEASE_VARIABLE: str(named_path(path).resolve()),
            INDEX_VARIABLE: str(folder / "index"),
            MEMORY_VARIABLE: f"{how.memory:g}",
            CPU_VARIABLE: str(how.cpu),
            USER_VARIABLE: how.user_header,
            CAMPAIGN_VARIABLE: campaign,
            SECRET_VARIABLE: secret,
            TOKEN_VARIABLE: "",
            "JUPYTER_PATH": jupyter_path(served / "jupyter"),
            # a session has its share of the computer, not all of it
            **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
        }
        with ExitStack() as stack:
            conclude = stack.enter_context(tried(served, CHECK, variables | {SECRET_VARIABLE: ""}))
            server = stack.enter_context(
                hosting(command(notebook, port, how), served, variables, url.rstrip("/"), log, 60.0)
            )
            conclude()
            yield url, server


# ------------------------------------------------------------------------------------------------ command line


def add_serve(commands: Any) -> argparse.ArgumentParser:
    """The subcommand `serve` of `elixer-widgets`, which the caller may give more options."""
    default = Publication()
    parser: argparse.ArgumentParser = commands.add_parser(
        "serve", help="publish a release to other people", allow_abbrev=False
    )
    parser.add_argument("path", metavar="PATH", help="the release")
    parser.add_argument("--catalog", metavar="FILE", help="an ELiXer catalogue: classes and probabilities to search by")
    parser.add_argument("--port", type=int, default=default.port, help=f"({default.port}); 0 for any free one")
    parser.add_argument("--address", default=default.address, help=f"to listen at ({default.address})")
    parser.add_argument("--base-url", default=default.base_url, help="part of the address before the page (/)")
    parser.add_argument("--sessions", type=int, default=default.sessions, help=f"pages at once ({default.sessions})")
    parser.add_argument("--warm", type=int, default=default.warm, help=f"pages prepared ahead ({default.warm})")
    parser.add_argument("--memory", type=float, default=default.memory, help=f"GB a page may take ({default.memory:g})")
    parser.add_argument("--cpu", type=int, default=default.cpu, help=f"processor seconds of a page ({default.cpu})")
    parser.add_argument("--idle", type=int, default=default.idle, help=f"seconds until a page ends ({default.idle})")
    parser.add_argument("--user-header", default="", metavar="NAME", help="header in which the proxy names the user")
    parser.add_argument("--campaign", default="", metavar="FOLDER", help="a campaign that named visitors answer")
    parser.add_argument("--host", action="append", default=[], metavar="NAME", help="a name the page is served under")
    parser.add_argument("--secret-file", default="", metavar="FILE", help="what the proxy sends in X-Elixer-Secret")
    parser.add_argument("--socket", default="", metavar="PATH", help="a Unix socket to listen at, instead of a port")
    parser.add_argument("--socket-mode", default="600", metavar="MODE", help="its permissions (600)")
    parser.add_argument("--each", type=int, default=default.each, help="pages at once of one address (0: no limit)")
    parser.set_defaults(act=_serve_command)
    return parser


def _serve_command(options: argparse.Namespace) -> int:
    names = (
        *("address", "port", "sessions", "warm", "memory", "cpu", "idle", "base_url", "user_header", "campaign"),
        *("secret_file", "socket", "socket_mode", "each"),
    )
    hosts = tuple(name.lower() for name in options.host)
    how = Publication(hosts=hosts, **{name: getattr(options, name) for name in names})
    if threading.current_thread() is threading.main_thread():
        # ended from outside, the server must not stay behind
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    with ended_by_hand(), publishing(options.path, options.catalog, how) as (url, server):
        if how.socket:
            sys.stderr.write(f"published at the socket {how.socket} (end with Ctrl-C)\n")
        else:
            sys.stderr.write(f"published at {url} (end with Ctrl-C); health at {url}healthz\n")
        server.wait()
        raise DataError(f"the server at {url} ended with code {server.returncode}; its messages say why")
    return 0
