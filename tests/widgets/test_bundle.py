"""What many widgets change together reaches the browser in one message, whole and in the order it is to be drawn."""

from __future__ import annotations

from typing import Any

import bqplot as bq
import ipywidgets as W
import numpy as np
import pytest

from elixer_widgets.widgets.bundle import Bundle


class Recorder:
    """A comm that keeps what is sent."""

    kernel = object()

    def __init__(self, comm_id: str) -> None:
        self.comm_id = comm_id
        self.sent: list[dict[str, Any]] = []

    def on_msg(self, handler: Any) -> None:
        self.handler = handler

    def send(self, data: Any = None, metadata: Any = None, buffers: Any = None) -> None:
        self.sent.append(data)


class Wires:
    """Widgets behind a bundle, and all that leaves them."""

    def __init__(self, *widgets: W.Widget) -> None:
        self.comms = [Recorder(f"model {number}") for number in range(len(widgets))]
        for widget, comm in zip(widgets, self.comms, strict=True):
            widget.comm = comm
        self.together: list[tuple[dict[str, Any], list[Any]]] = []
        self.bundle = Bundle(widgets, lambda content, buffers: self.together.append((content, buffers)))


def test_changes_of_many_widgets_are_one_message() -> None:
    label, box = W.Label(), W.Text()
    wires = Wires(label, box)
    with wires.bundle.together():
        label.value = "first"
        box.value = "z"
        label.value = "second"
        assert wires.together == []
    assert [comm.sent for comm in wires.comms] == [[], []]
    ((content, buffers),) = wires.together
    assert content["states"] == [["model 0", {"value": "second"}, []], ["model 1", {"value": "z"}, []]]
    assert buffers == []


def test_what_changes_alone_keeps_its_place_among_the_messages() -> None:
    label = W.Label()
    wires = Wires(label)
    label.value = "alone"
    with wires.bundle.together():
        label.send({"said": "at once"})
        label.value = "later"
    assert [content["states"][0][1] for content, _ in wires.together] == [{"value": "alone"}, {"value": "later"}]
    assert [content["stamp"]["revision"] for content, _ in wires.together] == [1, 2]
    assert wires.comms[0].sent == [{"method": "custom", "content": {"said": "at once"}}]


def test_scales_come_before_the_curves_drawn_with_them() -> None:
    x, y = bq.LinearScale(), bq.LinearScale()
    curve = bq.Lines(x=[0.0], y=[0.0], scales={"x": x, "y": y})
    wires = Wires(curve, x, y)
    with wires.bundle.together():
        curve.x = np.array([7.0])
        y.max = 2.0
        x.max = 1.0
    ((content, _buffers),) = wires.together
    assert [model for model, *_ in content["states"]] == ["model 2", "model 1", "model 0"]


def test_arrays_keep_their_places_and_plots_come_before_words() -> None:
    label = W.Label()
    curve = bq.Lines(x=[0.0], y=[0.0], scales={"x": bq.LinearScale(), "y": bq.LinearScale()})
    slider = W.FloatSlider(min=0.0, max=9.0)
    wires = Wires(label, curve, slider)
    with wires.bundle.together():
        label.value = "words"
        curve.x = np.array([7.0])
        curve.x, curve.y = np.array([1.0, 2.0]), np.array([3.0, 4.0])
        slider.value = 5.0
    ((content, buffers),) = wires.together
    assert [model for model, *_ in content["states"]] == ["model 2", "model 1", "model 0"]
    _, state, paths = content["states"][1]
    found = {
        path[0]: np.frombuffer(buffer, state[path[0]]["dtype"]) for path, buffer in zip(paths, buffers, strict=True)
    }
    assert paths == [["x", "value"], ["y", "value"]]
    np.testing.assert_array_equal(found["x"], [1.0, 2.0])
    np.testing.assert_array_equal(found["y"], [3.0, 4.0])


def test_the_inner_of_two_is_part_of_the_outer() -> None:
    label, box = W.Label(), W.Text()
    wires = Wires(label, box)
    with wires.bundle.together():
        with wires.bundle.together():
            label.value = "inner"
        box.value = "outer"
    assert len(wires.together) == 1
    assert len(wires.together[0][0]["states"]) == 2


def test_what_was_changed_before_a_failure_is_shown() -> None:
    label = W.Label()
    wires = Wires(label)
    with pytest.raises(RuntimeError), wires.bundle.together():
        label.value = "before"
        raise RuntimeError
    assert wires.together[0][0]["states"][0][1] == {"value": "before"}
    label.value = "after"
    assert wires.together[1][0]["states"][0][1] == {"value": "after"}


def test_nothing_changed_sends_nothing() -> None:
    wires = Wires(W.Label())
    with wires.bundle.together():
        pass
    assert wires.together == []
