"""A JupyterLab of its own, for whoever looks at pages in notebooks: tests and tools."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

PATIENCE = 90.0
"""s; until it answers."""


def _answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=2):
            return True
    except (URLError, OSError):
        return False


@contextmanager
def lab_running(folder: Path, environment: dict[str, str]) -> Iterator[str]:
    """The address of a JupyterLab on this folder, without a token, for the time of a `with` block."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}",
        "--IdentityProvider.token=", "--ServerApp.password=", f"--ServerApp.root_dir={folder}",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate", "--LabApp.news_url=None",
    ]  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    with open(folder / "lab.log", "wb") as log:
        server = subprocess.Popen(command, env={**os.environ, **environment}, stdout=log, stderr=log)
        try:
            end = time.monotonic() + PATIENCE
            while not _answers(f"{url}/api"):
                if server.poll() is not None:
                    raise RuntimeError((folder / "lab.log").read_text())
                if time.monotonic() > end:
                    raise TimeoutError(f"JupyterLab did not answer within {PATIENCE:.0f} s")
                time.sleep(0.2)
            yield url
        finally:
            server.terminate()
            server.wait(30)
