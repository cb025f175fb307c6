"""List the packages that the lock installs, with their licences: for people as a table, for programs as CycloneDX.

    python tools/list_licences.py [--table docs/licences.md] [--sbom sbom.cdx.json]

Names, versions and checksums are those of requirements.lock; licences are what the installed packages say of
themselves. A package for another kind of computer is in the lock and not installed here: its licence is left open.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
ALADIN = ("aladin-lite", "3.9.2-beta", "LGPL-3.0-or-later")
"""JavaScript that `make aladin` brings; it lies in the wheel beside its licence."""

LONG = 60
"""Letters of a licence's name at most; what is longer is the licence itself."""


@dataclass(frozen=True)
class Package:
    """A package of the lock."""

    name: str
    version: str
    licence: str
    hashes: tuple[str, ...] = ()
    kind: str = "pypi"


def locked(text: str) -> list[tuple[str, str, tuple[str, ...]]]:
    """Name, version and SHA-256 of each package of a lock file."""
    found = []
    for part in re.split(r"\n(?=\S)", text):
        head = re.match(r"([\w.-]+)==([^\s;]+)", part)
        if head is not None:
            found.append((head[1], head[2], tuple(re.findall(r"--hash=sha256:([0-9a-f]{64})", part))))
    return found


def licence_of(name: str) -> str:
    """What an installed package says of its licence; "" if it is not installed, "not said" if it does not tell."""
    try:
        told: Any = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return ""
    expression = told.get("License-Expression", "")
    if expression:
        return str(expression)
    classes = [each.split(" :: ")[-1] for each in told.get_all("Classifier", []) if each.startswith("License :: ")]
    classes = [each for each in classes if each != "OSI Approved"]
    if classes:
        return ", ".join(classes)
    free = str(told.get("License", "") or "").strip().splitlines()
    return free[0][:LONG] if free and free[0] else _by_text(name)


def _by_text(name: str) -> str:
    """The licence that a package only brings as text."""
    named = [each for each in metadata.files(name) or () if re.match(r"(?i)licen[cs]e|copying", each.name)]
    texts = [each.read_text(encoding="utf-8") for each in named if Path(str(each.locate())).is_file()]
    for text in texts:
        if "Redistribution and use in source and binary forms" in text:
            return "BSD-3-Clause" if re.search(r"(?i)neither the name", text) else "BSD-2-Clause"
        if "Permission is hereby granted, free of charge" in text:
            return "MIT"
    return "see its files" if texts else "not said"


def packages(lock: Path) -> list[Package]:
    """All packages of a lock file, and Aladin Lite."""
    found = [
        Package(name, version, licence_of(name), hashes) for name, version, hashes in locked(lock.read_text("utf-8"))
    ]
    return [*found, Package(*ALADIN, kind="npm")]


def table(found: list[Package]) -> str:
    """For people, as Markdown."""
    rows = "\n".join(
        f"| {each.name} | {each.version} | {each.licence or 'for another kind of computer'} |" for each in found
    )
    return (
        "# Licences of what this is made of\n\n"
        "Made by `make sbom` from `requirements.lock` and from what the packages say of themselves. ELiXer Widgets\n"
        "itself is under the licence in `LICENSE`. Aladin Lite, the JavaScript of the sky view, is LGPL-3.0-or-later:\n"
        "it is fetched when this is built, lies in the wheel with its licence, unchanged, and may be replaced by\n"
        "another build (`elixer_widgets/widgets/static/aladin/aladin.js`).\n\n"
        f"| package | version | licence |\n|---|---|---|\n{rows}\n"
    )


def bill(found: list[Package]) -> dict[str, object]:
    """For programs: CycloneDX 1.5 (https://cyclonedx.org/docs/1.5/json/)."""
    components = []
    for each in found:
        component: dict[str, object] = {
            "type": "library",
            "name": each.name,
            "version": each.version,
            "purl": f"pkg:{each.kind}/{each.name}@{each.version}",
        }
        if each.licence:
            component["licenses"] = [{"license": {"name": each.licence}}]
        if each.hashes:
            # of every file that the lock admits, one of which was installed
            component["properties"] = [{"name": "sha256", "value": value} for value in each.hashes]
        components.append(component)
    return {"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1, "components": components}


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", type=Path)
    parser.add_argument("--sbom", type=Path)
    options = parser.parse_args()
    found = packages(ROOT / "requirements.lock")
    if options.table:
        options.table.write_text(table(found), encoding="utf-8")
    if options.sbom:
        options.sbom.write_text(json.dumps(bill(found), indent=1) + "\n", encoding="utf-8")
    if not options.table and not options.sbom:
        print(table(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
