"""What queues can be sorted and filtered by: of the release, of an ELiXer catalogue, of what was said so far."""

from __future__ import annotations

from os import PathLike

import h5py
import numpy as np

from elixer_widgets._arguments import path as given
from elixer_widgets.campaigns.campaign import Campaign
from elixer_widgets.campaigns.consistency import contradiction, group_of
from elixer_widgets.campaigns.queue import Facts, doubt
from elixer_widgets.campaigns.together import differ
from elixer_widgets.classification.posterior import IDENTITIES
from elixer_widgets.detection import NAN, DataError
from elixer_widgets.releases.base import ReleaseIndex

_CATALOG_COLUMNS = {
    "flags": "flags",
    "p_lya": "plya_classification",
    "sn": "sn",
    "wavelength": "wavelength_obs",
    "redshift": "z_best",
}
"""Our names of the published columns worth sorting by."""


def facts_of_index(index: ReleaseIndex) -> Facts:
    """`sn`, `wavelength` (Å), `ra` and `dec` (degrees) of every detection of a release."""
    return Facts(
        np.asarray(index.detectid),
        {"sn": index.sn, "wavelength": index.wavelength, "ra": index.ra, "dec": index.dec},
    )


def facts_of_catalog(path: str | PathLike[str]) -> Facts:
    """What an ELiXer catalogue says: `p_lya`, `flags`, `sn`, `wavelength`, `redshift`; `doubt` if it was written here.

    Raises
    ------
    DataError
        If the file is no ELiXer catalogue.
    """
    source = given(path, "facts_of_catalog: path")
    if not source.is_file() or not h5py.is_hdf5(source):
        raise DataError(f"{source}: there is no HDF5 catalogue")
    with h5py.File(source, "r") as file:
        if "Detections" not in file:
            raise DataError(f"{source}: there is no table Detections; give an ELiXer catalogue")
        rows = file["Detections"][:]
        own = file["ElixerWidgets/Identity"][:] if "ElixerWidgets/Identity" in file else None
    columns = {ours: rows[name] for ours, name in _CATALOG_COLUMNS.items() if name in (rows.dtype.names or ())}
    found = Facts(rows["detectid"], columns)
    if own is None or not own.size:
        return found
    posterior = np.stack([own[f"p_{name}"] for name in IDENTITIES], axis=1)
    return found.joined(Facts(own["detectid"], {"doubt": doubt(posterior)}))


def facts_of_answers(campaign: Campaign) -> Facts:
    """What was said so far: `answers` (how many), `disagreement` (1 or 0), `quality` (the lowest), `doubt`, `p_lya` and
    `flags` of the analysis as kept beside the answers, `contradiction` (1 where an answer contradicts itself), and the
    campaign's own columns (numbers; yes is 1).

    To sort by these is for those who compare answers, not for inspectors who have not answered yet.
    """
    said: dict[int, list] = {}
    for each in campaign.answers():
        if each.occasion == 0:
            said.setdefault(each.detectid, []).append(each)
    own = [column.name for column in campaign.definition.columns if column.kind in ("number", "yes/no")]
    names = ("answers", "disagreement", "quality", "contradiction", "doubt", "p_lya", "flags", *own)
    table = np.full((len(said), len(names)), NAN)
    for row, answers in zip(table, said.values(), strict=True):
        judged = [each for each in answers if group_of(each)]
        row[0] = len(judged)
        row[1] = any(differ(one, other) for at, one in enumerate(judged) for other in judged[:at])
        row[2] = min((each.quality for each in judged if each.quality is not None), default=NAN)
        row[3] = any(contradiction(each) for each in answers)
        for at, name in enumerate(names[4:], 4):
            values = [(each.automatic if at < 7 else each.extra).get(name) for each in answers]
            row[at] = next((float(value) for value in reversed(values) if isinstance(value, int | float)), NAN)
    return Facts(
        np.array([each if each < 2**63 else -1 for each in said], np.int64),
        {name: table[:, at] for at, name in enumerate(names)},
    )
