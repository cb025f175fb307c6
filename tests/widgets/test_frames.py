"""What a browser may send to a kernel; the messages that are taken are made by Jupyter Server's own writer."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jupyter_server.services.kernels.connection.base import deserialize_msg_from_ws_v1, serialize_msg_to_ws_v1

from elixer_widgets.widgets import frames
from elixer_widgets.widgets.frames import Bucket, FrameError

HEADER = {"msg_id": "1", "msg_type": "comm_msg", "session": "s", "username": "", "date": "", "version": "5.3"}
OPEN = HEADER | {"msg_type": "comm_open"}
CONTENT = {"comm_id": "c" * 32, "data": {"method": "update", "state": {"value": 3}}}


def frame(
    channel: str = "shell", header: Any = HEADER, content: Any = CONTENT, buffers: tuple[bytes, ...] = ()
) -> bytes:
    parts = [header, {}, {}, content]
    made: bytes = serialize_msg_to_ws_v1([json.dumps(part).encode() for part in parts] + list(buffers), channel)
    return made


def test_what_a_page_sends_is_taken() -> None:
    for kind in frames.TAKEN - {"comm_open"}:
        read = frames.read(frame(header=HEADER | {"msg_type": kind}, buffers=(b"", b"abc")))
        assert (read.channel, read.kind) == ("shell", kind)
    control = CONTENT | {"target_name": "jupyter.widget.control", "target_module": None}
    assert frames.read(frame(header=HEADER | {"msg_type": "comm_open"}, content=control)).kind == "comm_open"


def test_a_frame_is_split_as_jupyter_server_splits_it() -> None:
    made = frame(buffers=(b"one", b"", b"three"))
    channel, parts = frames.split(made)
    assert (channel, [bytes(part) for part in parts]) == deserialize_msg_from_ws_v1(made)


@pytest.mark.parametrize("count", [0, 1, 5, 2**16, 2**31, 2**63, 2**64 - 1])
def test_a_count_is_not_believed(count: int) -> None:
    with pytest.raises(FrameError, match="count"):
        frames.read(struct.pack("<Q", count))
    with pytest.raises(FrameError):
        frames.read(struct.pack("<Q", count) + frame()[8:])


@pytest.mark.parametrize("at", range(6))
@pytest.mark.parametrize("offset", [0, 7, 2**32, 2**64 - 1])
def test_an_offset_is_not_believed(at: int, offset: int) -> None:
    made = bytearray(frame())
    struct.pack_into("<Q", made, 8 * (at + 1), offset)
    with pytest.raises(FrameError):
        frames.read(bytes(made))


def test_every_shorter_and_longer_frame_is_refused() -> None:
    whole = frame()
    for size in range(len(whole)):
        with pytest.raises(FrameError):
            frames.read(whole[:size])
    with pytest.raises(FrameError):
        frames.read(whole + b"x")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"channel": "iopub"}, "channel"),
        ({"channel": "stdin"}, "channel"),
        ({"channel": ""}, "channel"),
        ({"header": HEADER | {"msg_type": "execute_request"}}, "kind"),
        ({"header": HEADER | {"msg_type": "shutdown_request"}}, "kind"),
        ({"header": HEADER | {"msg_type": 3}}, "kind"),
        ({"header": HEADER | {"msg_id": ""}}, "number"),
        ({"header": HEADER | {"session": "x" * 1000}}, "session"),
        ({"header": []}, "not an object"),
        ({"content": "text"}, "not an object"),
        ({"content": {"comm_id": 3}}, "no widget"),
        ({"content": CONTENT | {"data": [1]}}, "no widget"),
        ({"header": OPEN, "content": CONTENT | {"target_name": "jupyter.widget"}}, "make"),
        ({"buffers": (b"",) * 17}, "count"),
        ({"buffers": (bytes(1_000_001),)}, "too large"),
    ],
)  # fmt: skip
def test_what_a_page_never_sends_is_refused(changed: dict[str, Any], words: str) -> None:
    with pytest.raises(FrameError, match=words):
        frames.read(frame(**changed))


@pytest.mark.parametrize(
    "content", [b"[" * 100_000, b'{"a":' * 50 + b"1" + b"}" * 50, b"{", b"\xff\xfe", b"1" * 9000, b"NaN"]
)
def test_content_that_is_hard_to_parse_is_refused(content: bytes) -> None:
    parts = [json.dumps(HEADER).encode(), b"{}", b"{}", content]
    with pytest.raises(FrameError):
        frames.read(serialize_msg_to_ws_v1(parts, "shell"))


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.sampled_from(("msg_id", "msg_type", "session", "username", "date", "version", "subshell_id")), ANYTHING,
    st.sampled_from(("comm_id", "target_name", "data")), ANYTHING,
)  # fmt: skip
def test_whatever_stands_in_a_field_it_is_read_or_refused_in_words(
    one: str, first: Any, other: str, second: Any
) -> None:
    for header, content in (
        (HEADER | {one: first}, CONTENT),
        (OPEN, CONTENT | {"target_name": "jupyter.widget.control"} | {other: second}),
    ):
        try:
            frames.read(frame(header=header, content=content))
        except FrameError as error:
            assert str(error)


@pytest.mark.parametrize(
    "field", [{"version": 5.3}, {"version": "x"}, {"version": "4.1"}, {"username": {}}, {"date": ["x"]},
              {"subshell_id": "1"}, {"msg_type": ["comm_msg"]}],
)  # fmt: skip
def test_what_would_stop_the_kernels_own_reader_is_refused(field: dict[str, Any]) -> None:
    with pytest.raises(FrameError):
        frames.read(frame(header=HEADER | field))


@given(st.binary(max_size=400))
def test_any_bytes_are_refused_in_words(data: bytes) -> None:
    with pytest.raises(FrameError):
        frames.read(data)


@given(st.data())
def test_a_frame_with_one_byte_changed_is_read_or_refused_in_words(data: st.DataObject) -> None:
    made = bytearray(frame(buffers=(b"xyz",)))
    made[data.draw(st.integers(0, len(made) - 1))] = data.draw(st.integers(0, 255))
    try:
        assert frames.read(bytes(made)).kind in frames.TAKEN
    except FrameError as error:
        assert str(error)


def test_text_is_refused() -> None:
    with pytest.raises(FrameError, match="text"):
        frames.read('{"channel": "shell"}')


def test_the_kind_of_what_a_kernel_sends() -> None:
    assert frames.kind_of(frame("iopub", HEADER | {"msg_type": "stream"})) == "stream"
    assert frames.kind_of(frame("iopub", buffers=(b"x",) * 500)) == "comm_msg"
    assert frames.kind_of(b"\xff" * 8) == frames.kind_of(b"") == ""


def test_a_bucket_fills_again() -> None:
    bucket = Bucket(rate=2.0, holds=4.0)
    assert all(bucket.take(1, 100.0) for _ in range(4))
    assert not bucket.take(1, 100.0)
    assert bucket.take(1, 100.5) and not bucket.take(1, 100.5)
    assert not bucket.take(5, 10_000.0) and bucket.take(4, 10_000.0)
    # a clock that goes back gives nothing away
    assert not bucket.take(1, 9_000.0)
