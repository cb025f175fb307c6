"""What a group said: votes, agreement, disagreements, consistency, known objects, time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from itertools import combinations
from math import isfinite
from statistics import median

from elixer_widgets.campaigns.agreement import Kappa, cohen_kappa, fleiss_kappa, pair_table, pairwise, vote_counts
from elixer_widgets.campaigns.answers import Answer
from elixer_widgets.campaigns.campaign import Campaign
from elixer_widgets.campaigns.choices import group
from elixer_widgets.campaigns.consistency import contradiction, exported, group_of, unsafe
from elixer_widgets.detection import NAN

CONFIDENT = 3
"""The quality from which somebody is sure of the identity."""

SAME_REDSHIFT = 0.005
"""Two redshifts are the same if they differ by less than this times 1 + z: 1500 km/s, a few times what a line fitted at
the resolution of the instrument leaves open, and far less than between any two identities."""


def class_of(answer: Answer) -> int:
    """The single class of the HETDEX widget: the one that was read from its file, or what the answer amounts to."""
    return exported(answer).vis_class


def identity_of(answer: Answer) -> str:
    """The identity that an answer gives, coarsely: that of the line, or "star", "artifact", "noise", "continuum"."""
    said = group_of(answer)
    if said == "real":
        return answer.identity or "unidentified"
    return "star" if said == "continuum" and (answer.label in ("star", "WD")) else said


ASPECTS: dict[str, Callable[[Answer], Hashable]] = {
    "group": group_of,
    "verdict": lambda answer: answer.verdict,
    "class": class_of,
    "identity": identity_of,
    "quality": lambda answer: answer.quality,
}
"""What agreement may be asked about."""

_NOTHING = (None, "", 0)

MOST_NAMED = 20
"""Answers and problems that a report names one by one."""


def votes(answers: list[Answer], aspect: str = "group", occasion: int = 0) -> dict[str, dict[int, Hashable]]:
    """What each inspector says about each detection, in one aspect; those without an opinion are left out.

    Parameters
    ----------
    answers : list of Answer
        From `Campaign.answers`; with `blind=True` where agreement is judged.
    aspect : str
        One of `ASPECTS`.
    occasion : int
    """
    of = ASPECTS[aspect]
    found: dict[str, dict[int, Hashable]] = {}
    for each in answers:
        if each.occasion == occasion and each.is_answered and not unsafe(each):
            said = of(each)
            if said not in _NOTHING or (aspect == "quality" and said == 0):
                found.setdefault(each.inspector, {})[each.detectid] = said
    return found


def agreement(answers: list[Answer], aspect: str = "group") -> tuple[Kappa, dict[tuple[str, str], Kappa]]:
    """Fleiss' kappa of all inspectors, and Cohen's of every two (with quadratic weights for qualities)."""
    said = votes(answers, aspect)
    counts, _, _ = vote_counts(said)
    return fleiss_kappa(counts), pairwise(said, "quadratic" if aspect == "quality" else None)


def confusion(answers: list[Answer]) -> Counter[tuple[str, str]]:
    """How often the analysis said one identity and an inspector another: (automatic, person) to a count.

    Answers without an automatic one beside them are left out.
    """
    return Counter(
        (str(each.automatic["identity"]), identity_of(each))
        for each in answers
        if each.is_answered and each.automatic.get("identity") and identity_of(each)
    )


def consistency(answers: list[Answer], aspect: str = "group") -> dict[str, Kappa]:
    """How each inspector agrees with himself: Cohen's kappa of first answers and blind repeats."""
    first, again = votes(answers, aspect), votes(answers, aspect, occasion=1)
    return {inspector: cohen_kappa(pair_table(first.get(inspector, {}), said)[0]) for inspector, said in again.items()}


@dataclass(frozen=True)
class Score:
    """How an inspector fares on known objects: how many, and how many right in each aspect that is known."""

    objects: int
    right: Mapping[str, int]
    asked: Mapping[str, int]


def against_known(answers: list[Answer], known: Mapping[int, Mapping[str, object]]) -> dict[str, Score]:
    """How each inspector fares on the objects with a known answer."""
    scores: dict[str, Score] = {}
    for each in answers:
        truth = known.get(each.detectid)
        if truth is None or not each.is_answered or each.occasion:
            continue
        before = scores.get(each.inspector, Score(0, {}, {}))
        right, asked = Counter(before.right), Counter(before.asked)
        for name, ok in _judged(each, truth).items():
            asked[name] += 1
            right[name] += ok
        scores[each.inspector] = Score(before.objects + 1, dict(right), dict(asked))
    return scores


def _judged(answer: Answer, truth: Mapping[str, object]) -> dict[str, bool]:
    found: dict[str, bool] = {}
    if truth.get("verdict") is not None:
        found["group"] = group_of(answer) == group(int(str(truth["verdict"])))
    if truth.get("identity"):
        found["identity"] = identity_of(answer) == truth["identity"]
    if truth.get("redshift") is not None:
        found["redshift"] = _same_redshift(answer.redshift, float(str(truth["redshift"])))
    return found


def times(campaign: Campaign) -> dict[str, list[float]]:
    """Seconds an object of each inspector, in the order of the answers; pauses were cut when they were written."""
    return {
        inspector: [seconds for key in book.order if (seconds := campaign.seconds_on(*key, inspector)) > 0.0]
        for inspector, book in campaign.replay.books.items()
    }


# ------------------------------------------------------------------------------------------------- disagreements


@dataclass(frozen=True)
class Disagreement:
    """A detection about which inspectors differ: their answers, why it counts, and how it was settled."""

    detectid: int
    answers: tuple[Answer, ...]
    why: str
    settled: Answer | None = None


def _same_redshift(one: float, other: float) -> bool:
    return abs(one - other) <= SAME_REDSHIFT * (1.0 + max(one, other))


def differ(one: Answer, other: Answer) -> str:
    """In what two answers differ so that somebody must decide; empty if they do not.

    Notes
    -----
    The rule for redshifts is that of Marz (Hinton et al. 2016, Astronomy and Computing 15, 61), as described by its
    users: they differ and either is confident, or one is confident and the other is not.
    """
    groups = group_of(one), group_of(other)
    if "" in groups:
        return ""
    if groups[0] != groups[1]:
        # whether a thing that is not there is noise or an artifact changes nothing for anybody
        return "" if set(groups) == {"noise", "artifact"} else f"{groups[0]} or {groups[1]}"
    if groups[0] not in ("real", "continuum"):
        return ""
    confident = ((one.quality or 0) >= CONFIDENT, (other.quality or 0) >= CONFIDENT)
    known = isfinite(one.redshift) and isfinite(other.redshift)
    if any(confident):
        if known and not _same_redshift(one.redshift, other.redshift):
            return "redshift"
        if not known and one.identity and other.identity and one.identity != other.identity:
            return "identity"
    if groups[0] == "real" and confident[0] != confident[1]:
        return "confidence"
    return ""


def disagreements(campaign: Campaign, *, settled: bool = False) -> list[Disagreement]:
    """Detections about which inspectors differ, in the order of the list.

    Parameters
    ----------
    settled : bool
        Those as well that were adjudicated.
    """
    by_detection: dict[int, list[Answer]] = {}
    for each in campaign.answers():
        if each.is_answered and each.occasion == 0:
            by_detection.setdefault(each.detectid, []).append(each)
    found = []
    place = {detectid: at for at, detectid in enumerate(campaign.definition.detectids)}
    for detectid in sorted(by_detection, key=lambda each: place.get(each, len(place))):
        said = by_detection[detectid]
        why = next((why for one, other in combinations(said, 2) if (why := differ(one, other))), "")
        if why:
            verdict = campaign.settled(detectid)
            if settled or verdict is None:
                found.append(Disagreement(detectid, tuple(said), why, verdict))
    return found


@dataclass(frozen=True)
class Consensus:
    """What the group says about a detection.

    Attributes
    ----------
    detectid : int
    how : str
        "settled", "all agree", "one answer", "majority", "open" or "none".
    answer : Answer or None
        The adjudication, or the answer of the majority that is of the highest quality; None where it is open.
    inspectors : tuple of str
        Who answered.
    """

    detectid: int
    how: str
    answer: Answer | None
    inspectors: tuple[str, ...] = ()


def consensus(campaign: Campaign) -> list[Consensus]:
    """What the group says about every detection of the list, in its order."""
    by_detection: dict[int, list[Answer]] = {}
    for each in campaign.answers():
        if each.is_answered and each.occasion == 0:
            by_detection.setdefault(each.detectid, []).append(each)
    return [_consensus(campaign, each, by_detection.get(each, [])) for each in campaign.definition.detectids]


def _consensus(campaign: Campaign, detectid: int, given: list[Answer]) -> Consensus:
    inspectors = tuple(sorted(each.inspector for each in given))
    settled = campaign.settled(detectid)
    if settled is not None:
        return Consensus(detectid, "settled", settled, inspectors)
    # one that contradicts itself must not speak for the group
    said = [each for each in given if not unsafe(each)]
    if not said:
        return Consensus(detectid, "open" if given else "none", None, inspectors)
    best = max(said, key=lambda each: (each.quality or 0, each.time))
    if len(said) == 1:
        return Consensus(detectid, "one answer", best, inspectors)
    if not any(differ(one, other) for one, other in combinations(said, 2)):
        return Consensus(detectid, "all agree", best, inspectors)
    camps = Counter((group_of(each), identity_of(each)) for each in said)
    camp, size = camps.most_common(1)[0]
    if size * 2 <= len(said):
        return Consensus(detectid, "open", None, inspectors)
    members = [each for each in said if (group_of(each), identity_of(each)) == camp]
    return Consensus(detectid, "majority", max(members, key=lambda each: (each.quality or 0, each.time)), inspectors)


def report(campaign: Campaign) -> str:
    """How a campaign stands, as Markdown: progress, agreement, consistency, known objects, time."""
    blind = campaign.answers(blind=True)
    everybody, pairs = agreement(blind)
    own, spent = consistency(blind), times(campaign)
    known = against_known(blind, campaign.definition.known)
    count = Counter(each.inspector for each in blind if each.is_answered and each.occasion == 0)
    text = [
        f"# {campaign.definition.name or campaign.path.name}", "",
        f"{len(campaign.definition.detectids)} detections, {len(count)} inspectors, "
        f"{len(disagreements(campaign))} open disagreements", "",
        f"Fleiss' kappa: {_interval(everybody)} ({everybody.subjects} detections with two answers or more)", "",
        "| inspector | answered | median s | with oneself | known objects |", "| --- | --- | --- | --- | --- |",
    ]  # fmt: skip
    for name in sorted(campaign.replay.books):
        seconds = median(spent[name]) if spent.get(name) else NAN
        score = known.get(name)
        right = "" if score is None else ", ".join(f"{k} {score.right[k]}/{score.asked[k]}" for k in score.asked)
        oneself = _interval(own[name]) if name in own else ""
        text.append(f"| {_cell(name)} | {count[name]} | {seconds:.1f} | {oneself} | {right} |")
    odd = [each for each in campaign.answers() if contradiction(each)]
    if odd:
        text += ["", "Answers that contradict themselves; not counted where they call something real:", ""]
        text += [f"- {each.detectid}, {_cell(each.inspector)}: {contradiction(each)}" for each in odd[:MOST_NAMED]]
        text += [f"- and {len(odd) - MOST_NAMED} more"] if len(odd) > MOST_NAMED else []
    if campaign.problems:
        text += ["", "Journals:", ""] + [f"- {each}" for each in campaign.problems[:MOST_NAMED]]
    text += ["", "| inspectors | Cohen's kappa | both answered |", "| --- | --- | --- |"]
    text += [f"| {_cell(one)}, {_cell(other)} | {_interval(k)} | {k.subjects} |" for (one, other), k in pairs.items()]
    return "\n".join(text) + "\n"


def _cell(text: str) -> str:
    """A name as a cell of a table holds it."""
    return text.replace("\\", "\\\\").replace("|", "\\|")


def _interval(kappa: Kappa) -> str:
    return "none" if not isfinite(kappa.value) else f"{kappa.value:.2f} ({kappa.low:.2f} to {kappa.high:.2f})"
