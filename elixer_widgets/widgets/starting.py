"""What must hold before a server's address is told: a folder to work in, a port, and a kernel that makes pages."""

from __future__ import annotations

import errno
import json
import os
import queue
import shutil
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from elixer_widgets._errors import DataError

KERNEL = "elixer"
"""The kernel of our pages: this Python, whatever kernels are or are not installed for notebooks."""

PATIENCE = 300.0
"""Seconds for a kernel's first imports: from a file system of many users, on a computer that does other things too."""

REINSTALL = "install the package anew, with all it asks for: pip install --force-reinstall ."

SOCKET_NAME = 100
"""Bytes that the name of a Unix socket may have on every system."""

_TEMPLATE = Path(__file__).parent / "voila_template"


def lay_out(folder: Path, code: str) -> Path:
    """Put the notebook, the page template and the kernel where Voila finds them; no installed copy is needed.

    Returns
    -------
    Path
        The notebook, of one cell that holds `code`.

    Raises
    ------
    DataError
        If the template is missing in the package, or the folder cannot be written.
    """
    if not (_TEMPLATE / "index.html.j2").is_file():
        raise DataError(f"{_TEMPLATE}: the template of the page is missing there; {REINSTALL}")
    notebook = folder / "ELiXer Widgets.ipynb"
    try:
        shutil.copytree(_TEMPLATE, folder / "jupyter" / "voila" / "templates" / "elixer")
        kernel = folder / "jupyter" / "kernels" / KERNEL
        kernel.mkdir(parents=True)
        (kernel / "kernel.json").write_text(json.dumps(_kernel()))
        notebook.write_text(json.dumps(notebook_of(code)))
    except OSError as error:
        raise DataError(
            f"{folder}: cannot be written ({error.strerror or error}); name another folder: TMPDIR=/path/to/folder"
        ) from error
    return notebook


def _kernel() -> dict[str, Any]:
    start = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    return {"argv": start, "display_name": "ELiXer Widgets", "language": "python"}


def notebook_of(code: str) -> dict:
    """A notebook with one cell."""
    cell: dict = {
        "cell_type": "code",
        "execution_count": None,
        "id": "page",
        "metadata": {},
        "outputs": [],
        "source": code,
    }
    kernel = {"kernelspec": {"name": KERNEL, "display_name": "ELiXer Widgets", "language": "python"}}
    return {"cells": [cell], "metadata": {**kernel, "title": "ELiXer Widgets"}, "nbformat": 4, "nbformat_minor": 5}


def own_folders(folder: Path) -> dict[str, str]:
    """Variables that keep Jupyter's files in a folder of ours: a home need not be writable, nor its settings fit."""
    names = {"JUPYTER_CONFIG_DIR": "config", "JUPYTER_RUNTIME_DIR": "runtime", "IPYTHONDIR": "ipython"}
    return {variable: str(folder / name) for variable, name in names.items()}


def private_lines(folder: Path) -> bool:
    """Whether kernels can listen at sockets in our folder, which only its owner can enter.

    At ports of this computer every user of it can hear what a kernel tells its page: Jupyter asks listeners for
    nothing. A socket's whole name is short on all systems, so that a long TMPDIR leaves the ports only.
    """
    longest = folder / own_folders(folder)["JUPYTER_RUNTIME_DIR"] / f"kernel-{'0' * 36}-ipc-5"
    return hasattr(socket, "AF_UNIX") and len(os.fsencode(longest)) <= SOCKET_NAME


def private_options(folder: Path) -> list[str]:
    """Options by which a server's kernels listen at such sockets."""
    return ["--KernelManager.transport=ipc"] if private_lines(folder) else []


# ------------------------------------------------------------------------------------------------------- a port


def require_port(address: str, port: int) -> None:
    """See that a server can listen there.

    Raises
    ------
    DataError
        If the port is taken, or not allowed, or the address is none of this computer's.
    """
    if not 0 < port < 65536:
        raise DataError(f"port {port}: give one from 1 to 65535, or 0 for any free one")
    try:
        places = socket.getaddrinfo(address or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise DataError(f"address {address}: {error.strerror or error}; give one of this computer's") from error
    for family, kind, protocol, _, place in places:
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(place)
                probe.listen(1)
            except OSError as error:
                raise DataError(_refused(address, port, error)) from error


def _refused(address: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} is taken by another server; give another --port, or 0 for any free one"
    if error.errno == errno.EACCES:
        return f"port {port}: this user may not listen there; give a --port of 1024 or more"
    return f"address {address}: nothing can listen there ({error.strerror or error}); give one of this computer's"


# ----------------------------------------------------------------------------------------------------- a kernel


@contextmanager
def tried(
    folder: Path, code: str, environment: Mapping[str, str], patience: float = PATIENCE
) -> Iterator[Callable[[], None]]:
    """A kernel as the pages have it, started now; it is ended with the block.

    Parameters
    ----------
    folder : Path
        As `lay_out` made it.
    code : str
        What a page needs, less what takes long; it says what is wrong as a DataError.
    environment : mapping
        The pages' own.
    patience : float
        Seconds to wait.

    Yields
    ------
    callable
        Waits until the code was run, and raises DataError if it could not be.
    """
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_client.manager import KernelManager

    log = folder / "kernel.log"
    specs = KernelSpecManager(kernel_dirs=[str(folder / "jupyter" / "kernels")], ensure_native_kernel=False)
    manager = KernelManager(
        kernel_name=KERNEL,
        kernel_spec_manager=specs,
        connection_file=str(folder / "trial" / "kernel.json"),
        transport="ipc" if private_lines(folder) else "tcp",
    )
    (folder / "trial").mkdir()
    with open(log, "wb") as output:
        try:
            manager.start_kernel(cwd=str(folder), env=dict(environment), stdout=output, stderr=output)
        except OSError as error:
            raise DataError(f"the page's kernel cannot be started: {sys.executable}: {error.strerror}") from error
        try:
            yield lambda: _judge(_answer(manager, code, patience), log, patience)
        finally:
            # a kernel that ended by itself is no trouble here
            with suppress(RuntimeError, OSError):
                manager.shutdown_kernel(now=True)


def _answer(manager: Any, code: str, patience: float) -> dict[str, Any] | None:
    """What a kernel replies to the code; None if it ended, or was silent for too long."""
    client = manager.blocking_client()
    client.start_channels()
    end = time.monotonic() + patience
    try:
        client.wait_for_ready(timeout=patience)
        asked = client.execute(code, store_history=False, allow_stdin=False)
        while time.monotonic() < end:
            with suppress(queue.Empty):
                reply = client.get_shell_msg(timeout=0.5)
                if reply["parent_header"].get("msg_id") == asked:
                    content: dict[str, Any] = reply["content"]
                    return content
            if not manager.is_alive():
                break
    except RuntimeError:  # jupyter_client's word for a kernel that ended before it was ready
        return None
    finally:
        client.stop_channels()
    return None


def _judge(reply: dict[str, Any] | None, log: Path, patience: float) -> None:
    if reply is None:
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        said = f": {lines[-1].strip()}" if lines else f"; it said nothing within {patience:g} s"
        raise DataError(f"no page can be made, because its kernel ({sys.executable}) ended or never answered{said}")
    if reply.get("status") == "ok":
        return
    name, value = reply.get("ename", "error"), reply.get("evalue", "")
    if name == DataError.__name__:
        raise DataError(value)
    if name in ("ModuleNotFoundError", "ImportError"):
        raise DataError(f"no page can be made: {value}; {REINSTALL}")
    raise DataError(f"no page can be made: {name}: {value}")
