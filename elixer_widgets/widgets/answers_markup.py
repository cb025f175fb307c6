"""The words of the answers: buttons, menus with guidelines, the last ten, progress, what others said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import isfinite

from elixer_widgets.campaigns import Answer, Guideline
from elixer_widgets.campaigns.campaign import Progress
from elixer_widgets.campaigns.choices import LABELS, QUALITIES, VERDICTS
from elixer_widgets.campaigns.consistency import Question, contradiction
from elixer_widgets.campaigns.queue import Task
from elixer_widgets.classification.posterior import LABELS as LINES
from elixer_widgets.widgets.answers_desk import GRADED, LABEL_KEYS, VERDICT_KEYS, WAY_KEYS
from elixer_widgets.widgets.markup import escape

FREQUENT = (1, 3, 10, 15, 11)
"""Verdicts with a button that is always there."""

MOST = 2000
"""Letters of a remark of others that the page shows."""

SHORT = {
    1: "line", 2: "abs", 3: "cont", 4: "no line", 10: "noise", 11: "artifact", 12: "interf", 13: "sky", 14: "bad sky",
    15: "CR", 16: "trap", 17: "stuck", 18: "hot", 19: "spike", 90: "?",
}  # fmt: skip
"""Verdicts in the strip of the last ten, which has to find room for all of them."""


def _button(key: str, words: str, hint: str, pressed: bool, tip: str = "") -> str:
    return (
        f'<button class="ew-answer" data-key="{escape(key)}" aria-pressed="{str(pressed).lower()}" '
        f'title="{escape(tip or words)}"><kbd>{escape(hint)}</kbd>{escape(words)}</button>'
    )


def choices(current: Answer | None, settling: bool) -> str:
    """The buttons of verdict, quality and kind, what is chosen being pressed."""
    verdict = None if current is None else current.verdict
    quality = None if current is None else current.quality
    found = ['<b class="ew-settling">settling</b>'] if settling else []
    for code in FREQUENT:
        choice = VERDICTS[code]
        hint = GRADED.get(code, f"d {VERDICT_KEYS[code]}")
        found.append(_button(f"answer {choice.name}", choice.name, hint, verdict == code, choice.guideline))
    other = verdict is not None and verdict not in FREQUENT
    name = VERDICTS[verdict].name if other and verdict is not None else "other"
    found.append(
        f'<button class="ew-answer" data-strike="d" aria-haspopup="true" aria-pressed="{str(other).lower()}" '
        f'title="All reasons, with guidelines"><kbd>d</kbd>{escape(name)} …</button>'
    )
    found.append('<span class="ew-answer-gap">how sure</span>')
    for code in sorted(QUALITIES):
        tip = f"{QUALITIES[code].name}: {QUALITIES[code].guideline}"
        found.append(
            f'<button class="ew-answer ew-quality" data-key="quality {code}" aria-label="quality {code}" '
            f'aria-pressed="{str(quality == code).lower()}" title="{escape(tip)} (Shift+Q {code})">{code}</button>'
        )
    label = "" if current is None else current.label
    found.append(
        f'<button class="ew-answer" data-strike="h" aria-haspopup="true" aria-pressed="{str(bool(label)).lower()}" '
        f'title="What kind of object it is"><kbd>h</kbd>{escape(label or "kind")} …</button>'
    )
    return "".join(found)


def question(asked: Question) -> str:
    """What must be answered before anything is saved, each way a button with its key."""
    ways = "".join(
        _button(f"way {place}", way.words, key, False)
        for place, (way, key) in enumerate(zip(asked.ways, WAY_KEYS, strict=False), 1)
    )
    return f'<div class="ew-choose ew-question" role="alert"><b>{escape(asked.words)}</b>{ways}</div>'


def kept(current: Answer | None, said: str) -> str:
    """What is saved beside the verdict, in short."""
    parts = []
    if current is not None:
        if current.identity:
            parts.append(LINES.get(current.identity, current.identity))
        if isfinite(current.redshift):
            parts.append(f"z {current.redshift:.4f}")
        if current.counterpart:
            parts.append("no counterpart" if current.counterpart == "none" else current.counterpart)
        if contradiction(current):
            parts.insert(0, f"contradicts itself: {contradiction(current)}")
        if current.aperture is not None:
            parts.append(f'aperture {current.aperture[0]:.1f}"')
    words = " · ".join(parts)
    return (
        f'<span class="ew-kept" title="{escape(words)}">{escape(words)}</span><em class="ew-said">{escape(said)}</em>'
    )


def in_words(answer: Answer) -> str:
    """An answer in a few words."""
    parts = ["no verdict" if answer.verdict is None else VERDICTS[answer.verdict].name]
    if answer.quality is not None:
        parts.append(f"q{answer.quality}")
    parts += [each for each in (answer.label, LINES.get(answer.identity, answer.identity)) if each]
    if isfinite(answer.redshift):
        parts.append(f"z {answer.redshift:.4f}")
    return " ".join(parts)


def others(answers: Iterable[Answer]) -> str:
    """What the others said, each by name."""
    found = [
        f'<span title="{escape(each.comment[:MOST])}"><b>{escape(each.inspector)}</b> {escape(in_words(each))}'
        f"{' “' + escape(each.comment[:MOST]) + '”' if each.comment else ''}</span>"
        for each in answers
    ]
    return "".join(found)


def last_ten(answers: Iterable[Answer], shown: Task) -> str:
    """The last answers, each a button that leads back to it and one that takes it back."""
    found = []
    for each in answers:
        key = f"{each.detectid}:{each.occasion}"
        name = "…" if each.verdict is None else SHORT[each.verdict]
        quality = f" {each.quality}" if each.quality else ""
        here = " ew-here" if Task(each.detectid, each.occasion) == shown else ""
        found.append(
            f'<span class="ew-ten{here}">'
            f'<button data-key="go:{key}" title="{each.detectid}: {escape(in_words(each))}">'
            f"{escape(name)}{quality}</button>"
            f'<button data-key="back:{key}" title="take back the answer about {each.detectid}" '
            f'aria-label="take back {each.detectid}">×</button></span>'
        )
    return f'<span class="ew-tens">{"".join(found)}</span>'


def progress(now: Progress) -> str:
    """How far, how fast, how long still."""
    share = 100.0 * now.done / max(now.total, 1)
    words = [f"<b>{now.done}</b> of {now.total}"]
    if isfinite(now.seconds) and now.seconds > 0.0:
        words.append(f"{now.seconds:.1f} s each")
        left = now.hours * 60.0
        words.append(f"{left:.0f} min left" if left < 90 else f"{now.hours:.1f} h left")
    return (
        f'<span class="ew-progress" title="answered in this queue; the median time of the last 50">'
        f'<i style="width:{share:.1f}%"></i>{" · ".join(words)}</span>'
    )


# --------------------------------------------------------------------------------------------------------- menus


def _guideline(text: str, key: str, own: Mapping[str, Guideline]) -> str:
    given = own.get(key, Guideline())
    examples = "".join(
        f'<button class="ew-example" data-key="example:{each}" title="show this example">{each}</button>'
        for each in given.examples
    )
    words = " ".join(part for part in (text, given.text) if part)
    return f"<p>{escape(words)}{' For example ' + examples if examples else ''}</p>"


def _menu(name: str, title: str, rows: Iterable[tuple[str, str, str, str]]) -> str:
    """A menu: (action, key, name, guideline as HTML) a row."""
    listed = "".join(
        f'<li><button class="ew-answer" data-key="{escape(action)}"><kbd>{escape(key)}</kbd>{escape(words)}</button>'
        f"{text}</li>"
        for action, key, words, text in rows
    )
    return (
        f'<div class="ew-menu" data-menu="{name}" role="menu" aria-label="{escape(title)}">'
        f"<h4>{escape(title)}</h4><ul>{listed}</ul></div>"
    )


def menus(own: Mapping[str, Guideline]) -> str:
    """All menus, of which the page shows the one whose key was struck."""
    graded = [
        _menu(
            key,
            f"{VERDICTS[code].name}: how sure?",
            [
                (
                    f"{VERDICTS[code].name}, quality {q}",
                    str(q),
                    choice.name,
                    _guideline(choice.guideline, f"quality {q}", own),
                )
                for q, choice in QUALITIES.items()
            ],
        )
        for code, key in GRADED.items()
    ]
    return "".join(
        [
            _menu(
                "d",
                "What is it?",
                [
                    (f"answer {c.name}", VERDICT_KEYS[code], c.name, _guideline(c.guideline, f"verdict {code}", own))
                    for code, c in VERDICTS.items()
                ],
            ),
            *graded,
            _menu(
                "Q",
                "How sure?",
                [
                    (f"quality {q}", str(q), c.name, _guideline(c.guideline, f"quality {q}", own))
                    for q, c in QUALITIES.items()
                ],
            ),
            _menu(
                "h",
                "What kind of object?",
                [
                    (f"label {label}", LABEL_KEYS[label], label, _guideline("", f"label {label}", own))
                    for label in LABELS
                ],
            ),
        ]
    )
