"""What many tests share: the reference data beside the project, and one simulated release a session."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

PROJECT = Path(__file__).resolve().parents[1]

# A limit of wall time for each example judges how busy the machine is: first imports alone took longer than 0.2 s.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of specifications and reference data beside the project; the test skips where it is not there."""
    path = PROJECT.parent / "shared"
    if not (path / "reference").is_dir():
        pytest.skip(f"reference data not found at {path}: this test compares with them")
    return path


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small simulated release, made once a test session."""
    from elixer_widgets import simulate_release

    path = tmp_path_factory.mktemp("simulated") / "hdr"
    simulate_release(path, n=24, seed=7)
    return path
