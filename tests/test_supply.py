"""What is fetched is what was written down: checksums in every lock, and a list of licences that is up to date."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]
LOCKS = ("requirements.lock", "requirements-floor.lock", "requirements-uv.lock", "binder/requirements.txt")


@pytest.fixture(scope="module")
def listing() -> ModuleType:
    spec = importlib.util.spec_from_file_location("list_licences", ROOT / "tools" / "list_licences.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_of_a_lock_has_a_checksum(listing: ModuleType, lock: str) -> None:
    found = listing.locked((ROOT / lock).read_text(encoding="utf-8"))
    assert found
    assert [name for name, _version, hashes in found if not hashes] == []


def test_nothing_is_installed_without_its_checksum() -> None:
    recipes = (ROOT / "Makefile").read_text(encoding="utf-8")
    installs = [line for line in recipes.splitlines() if re.search(r"pip install\b", line) and "-r " in line]
    assert len(installs) == 3 and all("--require-hashes" in line for line in installs)


def test_a_package_that_was_changed_on_its_way_is_refused(listing: ModuleType, tmp_path: Path) -> None:
    name, version, _ = next(each for each in listing.locked((ROOT / LOCKS[0]).read_text("utf-8")) if each[0] == "idna")
    (tmp_path / "lock").write_text(f"{name}=={version} --hash=sha256:{'0' * 64}\n")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes", "-d", str(tmp_path)]
    done = subprocess.run([*command, "-r", str(tmp_path / "lock")], capture_output=True, text=True, timeout=120)
    if "DO NOT MATCH" not in done.stderr.upper() and "connection" in done.stderr.lower():
        pytest.skip("no package index can be reached")
    assert done.returncode != 0 and not list(tmp_path.glob("*.whl"))


def test_the_list_of_licences_is_that_of_the_lock(listing: ModuleType) -> None:
    text = (ROOT / "docs" / "licences.md").read_text(encoding="utf-8")
    rows = {tuple(row.split(" | ")[:2]) for row in re.findall(r"^\| (.*) \|$", text, flags=re.M)} - {
        ("package", "version")
    }
    locked = listing.locked((ROOT / "requirements.lock").read_text(encoding="utf-8"))
    assert rows == {(name, version) for name, version, _ in locked} | {listing.ALADIN[:2]}
    assert "| not said |" not in text
    for name in ("README.md", "LICENSE"):
        said = (ROOT / name).read_text(encoding="utf-8")
        assert "Aladin Lite" in said and re.search(
            "LGPL-3.0-or-later|GNU Lesser General Public License, version 3", said
        )


def test_the_bill_of_materials_names_every_package(listing: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "sbom.cdx.json"
    subprocess.run([sys.executable, ROOT / "tools" / "list_licences.py", "--sbom", path], check=True)
    bill = json.loads(path.read_text())
    assert bill["bomFormat"] == "CycloneDX" and bill["specVersion"] == "1.5"
    names = {each["name"] for each in bill["components"]}
    assert {"numpy", "voila", "bqplot", "aladin-lite"} <= names
    assert all(re.fullmatch(r"pkg:(pypi|npm)/.+@.+", each["purl"]) for each in bill["components"])
