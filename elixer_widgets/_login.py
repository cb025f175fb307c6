"""Whose program this is."""

from __future__ import annotations

import getpass
import os


def login() -> str:
    """The login name; the number of the user where the computer has no name for it, as in containers."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return str(os.getuid()) if hasattr(os, "getuid") else "0"
