"""One small release, written once a session."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.releases.trees import Tree, write_tree


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """The whole tree; read-only for the tests."""
    return write_tree(tmp_path_factory.mktemp("release"))


@pytest.fixture
def bare(tmp_path: Path) -> Tree:
    """A tree without shot files, flats and indexes, for a test to change as it likes."""
    return write_tree(tmp_path / "bare", shots=False, index=False)
