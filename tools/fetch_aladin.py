"""Bring Aladin Lite, the JavaScript that the sky view runs on, from its npm package: once, at build or install time.

Aladin Lite (LGPL-3.0-or-later, Centre de Données astronomiques de Strasbourg) is not part of this repository. `npm
pack` fetches the package; nothing of it is run. What arrives must have the checksum written here.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

PACKAGE = "aladin-lite@3.9.2-beta"
"""The version that ipyaladin 0.8.1 was written for."""

FILES = {
    "package/dist/aladin.js": "575eff7e672bc99a1a5bf62469b75455353aa6574a75bcfbfc2c53c799f6693f",
    "package/COPYING": "",
    "package/LICENSE": "",
}
"""What is kept, with its SHA-256; the licence goes along."""

TARGET = Path(__file__).parents[1] / "elixer_widgets" / "widgets" / "static" / "aladin"
PATIENCE = 180.0
"""Seconds."""


class NotFetchedError(Exception):
    """Why Aladin Lite could not be brought, and what to do."""


def present(target: Path = TARGET) -> bool:
    """Whether the library is there, whole."""
    path = target / "aladin.js"
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == FILES["package/dist/aladin.js"]


def _pack(folder: Path) -> Path:
    npm = shutil.which("npm")
    if npm is None:
        raise NotFetchedError("npm is not installed; install Node.js (its package manager npm comes with it)")
    command = [npm, "pack", PACKAGE, "--silent", "--pack-destination", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, cwd=folder)
    except subprocess.TimeoutExpired as error:
        raise NotFetchedError(f"npm did not bring {PACKAGE} within {PATIENCE:.0f} s; try again later") from error
    packed = sorted(folder.glob("*.tgz"))
    if done.returncode or not packed:
        said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise NotFetchedError(f"npm could not bring {PACKAGE}: {said}")
    return packed[0]


def fetch(target: Path = TARGET) -> Path:
    """Bring the library, unless it is there already.

    Parameters
    ----------
    target : Path
        The folder to put it in.

    Returns
    -------
    Path
        Of aladin.js.

    Raises
    ------
    NotFetchedError
        If there is no npm, no network, or what came is not what was expected.
    """
    if present(target):
        return target / "aladin.js"
    with tempfile.TemporaryDirectory(prefix="aladin-") as temporary:
        found: dict[str, bytes] = {}
        with tarfile.open(_pack(Path(temporary))) as package:
            for name, expected in FILES.items():
                member = package.extractfile(name)
                content = b"" if member is None else member.read()
                if expected and hashlib.sha256(content).hexdigest() != expected:
                    raise NotFetchedError(f"{name} of {PACKAGE} is not the file that was expected: it was not kept")
                found[Path(name).name] = content
    target.mkdir(parents=True, exist_ok=True)
    for name, content in found.items():
        (target / name).write_bytes(content)
    return target / "aladin.js"


def main() -> int:
    """Bring it and say so; without it all but the sky view works, so that this is no failure."""
    try:
        there = present()
        path = fetch()
    except (NotFetchedError, OSError, tarfile.TarError) as error:
        sys.stderr.write(
            f"Aladin Lite was not fetched: {error}.\nThe page works without its sky view; `make aladin` tries again.\n"
        )
        return 0
    if not there:
        sys.stderr.write(f"Aladin Lite ({PACKAGE}): {path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
