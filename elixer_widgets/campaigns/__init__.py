"""Votes, queues and the agreement between inspectors."""

from elixer_widgets.campaigns.answers import Answer
from elixer_widgets.campaigns.automatic import automatic_answer
from elixer_widgets.campaigns.campaign import Campaign, NotSaved
from elixer_widgets.campaigns.copies import restore
from elixer_widgets.campaigns.definition import Column, Definition, Guideline, define
from elixer_widgets.campaigns.merging import merge_journals

__all__ = [
    "Answer",
    "Campaign",
    "Column",
    "Definition",
    "Guideline",
    "NotSaved",
    "automatic_answer",
    "define",
    "merge_journals",
    "restore",
]
