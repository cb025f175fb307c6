"""What can be done with a key on a page, and what becomes of it: done, failed in words, or not taken."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from traitlets import Unicode

from elixer_widgets.widgets.keys import Action, Actions
from elixer_widgets.widgets.together import NOT_TAKEN, Together

log = logging.getLogger(__name__)


class Acting(Together):
    """A state that offers actions by name.

    Attributes
    ----------
    message : str
        One sentence for the person, empty when all is well.
    actions : Actions
        What can be done with a key, by name.
    """

    message = Unicode("")

    def __init__(self, **traits: Any) -> None:
        self.actions = Actions()
        super().__init__(**traits)

    def register(
        self, name: str, *, key: str = "", help: str, do: Callable[[], object], group: str = "", anytime: bool = False
    ) -> None:
        """Offer an action by key, on the page, in its help and in docs/keys.md.

        Parameters
        ----------
        name : str
        key : str
            One or more keys with spaces between, as browsers name them ("n ArrowRight"); see `keys.Action`.
        help : str
            What it does, in a sentence.
        do : callable
        group : str
            The heading under which it is listed.
        anytime : bool
            Whether it means the same whatever the page shows; see `keys.Action`.

        Raises
        ------
        ValueError
            If the name or a key is taken.
        """
        heading = group[:1].upper() + group[1:]
        self.actions.add(Action(name, tuple(key.split()), help.rstrip(".") + ".", do, heading, anytime))

    def act(self, name: str) -> None:
        """Do what is registered under this name; what goes wrong is said in `message`."""
        action = self.actions[name]
        if not action.anytime and self.refuses():
            return
        try:
            action()
        except Exception as error:
            log.exception("action %s failed", name)
            self.message = f"{name} failed ({type(error).__name__}: {error}); the page is as it was, please report this"

    def refuses(self) -> bool:
        """As of `Together`, and said."""
        refused = super().refuses()
        if refused:
            self.message = NOT_TAKEN
        return refused
