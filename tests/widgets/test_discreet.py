"""What a published page tells strangers of the computer it runs on."""

from __future__ import annotations

from typing import Any

import comm
import ipywidgets as W
import pytest

from elixer_widgets.widgets import discreet
from elixer_widgets.widgets.discreet import cleaned, discretion, own_folders

CLEAN = discretion(["/srv/hdr5", "/odd place/x"])


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("/srv/hdr5/detect/detect_hdr5.h5: no such row", "detect_hdr5.h5: no such row"),
        ("in /srv/hdr5.", "in hdr5."),
        ("(/home/karl/x.fits)", "(x.fits)"),
        ("'/tmp/a b'", "'a b'"),
        ('File "/usr/lib/python3.11/site.py", line 3', 'File "site.py", line 3'),
        ("/work/02000/karl/stampede/list.txt, /scratch/y", "list.txt, y"),
        ("<td>erg/s/cm²/Å</td>", "<td>erg/s/cm²/Å</td>"),
        ("1/2 and a/home/b", "1/2 and a/home/b"),
        ("https://example.org/home/x", "https://example.org/home/x"),
        ("</data></tmp>", "</data></tmp>"),
        ("/database", "/database"),
        ("P(LAE)/P(OII) 3.2", "P(LAE)/P(OII) 3.2"),
    ],
)
def test_of_a_path_the_name_is_left(said: str, told: str) -> None:
    if said == "'/tmp/a b'":
        told = "'a b'"  # what follows the blank was no part of the path
    assert CLEAN(said) == told


def test_every_text_is_looked_at_and_nothing_else_changed() -> None:
    program = "import x from '/home/x'"
    said: dict[str, Any] = {
        "a": ["/home/k/x", {"b": ("/tmp/y", 3)}],
        "_esm": program,
        "n": None,
        "z": 1.5,
        "raw": b"/home/x",
    }
    told = {"a": ["x", {"b": ("y", 3)}], "_esm": program, "n": None, "z": 1.5, "raw": b"/home/x"}
    assert cleaned(said, CLEAN) == told


def test_its_own_folders_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ELIXER_WIDGETS_IMAGING", "/odd/one:/odd/two/")
    folders = own_folders()
    assert {"/odd/one", "/odd/two"} <= set(folders) and "" not in folders and "/" not in folders


def test_what_widgets_send_is_discreet(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []

    class Recorded(comm.base_comm.BaseComm):
        def publish_msg(self, msg_type: str, data: Any = None, **_rest: Any) -> None:
            sent.append(data)

    monkeypatch.setattr(
        comm,
        "create_comm",
        lambda *a, **k: Recorded(*a, **{n: v for n, v in k.items() if n != "target_name"}, target_name="t"),
    )
    discreet.be_discreet(["/srv/hdr5"])
    made = W.HTML("<p>/srv/hdr5/a.h5</p>")
    made.value = "lost: /srv/hdr5/b.h5"
    text = repr(sent)
    assert "a.h5" in text and "b.h5" in text and "/srv" not in text
