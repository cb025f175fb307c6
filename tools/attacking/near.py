"""Starts what `neighbour` tries to come into, and starts it as another user."""

from __future__ import annotations

import json
import os
import pwd
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from attacking.bench import Count, children, explored, served, socketed

NOBODY = "nobody"
PROGRAM = Path(__file__).with_name("neighbour.py")


def possible() -> str:
    """Why another user cannot be played here; "" if one can."""
    if os.getuid() != 0:
        return "only root can start a program as somebody else"
    try:
        pwd.getpwnam(NOBODY)
    except KeyError:
        return "there is no user called nobody"
    return "" if python_for_all() else "there is no Python that nobody can start"


def python_for_all() -> str:
    """A Python that every user of this computer can start; "" if there is none."""
    return shutil.which("python3", path="/usr/bin:/bin:/usr/local/bin") or ""


def _listening(processes: list[int]) -> list[str]:
    """The numbers of the sockets that processes hold."""
    found = []
    for process in processes:
        for link in Path(f"/proc/{process}/fd").iterdir():
            try:
                held = re.fullmatch(r"socket:\[(\d+)\]", os.readlink(link))
            except OSError:
                continue
            if held:
                found.append(held[1])
    return found


def _as_nobody(known: dict[str, Any]) -> dict[str, Any]:
    user = pwd.getpwnam(NOBODY)
    # the program is handed over as text: nobody need not be able to read this folder
    done = subprocess.run(
        [python_for_all(), "-I", "-c", PROGRAM.read_text(), json.dumps(known)],
        user=user.pw_uid, group=user.pw_gid, extra_groups=[], cwd="/", env={}, capture_output=True, text=True,
        timeout=600, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def come_in(release: Path, folder: Path) -> tuple[Count, str]:
    """All ways of another user into a page, a server behind a proxy, and one at a socket; what was seen, in words."""
    count = Count()
    secret, place = folder / "secret", folder / "page.sock"
    secret.write_text(os.urandom(24).hex())
    secret.chmod(0o600)
    folder.chmod(0o755)  # what is in there is to be safe by itself
    behind = ("--user-header", "X-Forwarded-User", "--secret-file", str(secret), "--warm", "1", "--sessions", "3")
    with (
        explored(release, folder / "explore.log") as (page, address),
        served(release, folder / "serve.log", *behind) as named,
        socketed(release, folder / "socket.log", place),
    ):
        page.page()  # a kernel of the owner's
        inodes = _listening([n for server in (page, named) for n in children(server.process)])
        known = {
            "page": [page.place[1], page.process], "named": [named.place[1], named.process], "socket": str(place),
            "secret": str(secret), "temporary": tempfile.gettempdir(), "owner": os.getuid(), "inodes": inodes,
        }  # fmt: skip
        told = _as_nobody(known)
        count.check(told["user"] != os.getuid(), "it was not another user")
        token = re.search(r"token=([^&\s]+)", address)
        count.check(token is not None and token[1] not in json.dumps(told), "the token was told")
        for name, got in told["ways"].items():
            count.outcomes["in" if got else "not in"] += 1
            count.check(not got, f"{name}: {got}")
        count.check(page.health()["status"] == "ok" and named.health()["status"] == "ok", "a server did not live")
    return count, f"{count.outcomes['in']} of {count.tried} ways led in"
