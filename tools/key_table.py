"""Write the list of all keys of the page as Markdown to standard output: `python tools/key_table.py > docs/keys.md`."""

from __future__ import annotations

import sys

from elixer_widgets.releases.stated import open_stated
from elixer_widgets.widgets import keys
from elixer_widgets.widgets.dashboard import release_path
from elixer_widgets.widgets.explorer import Explorer

if __name__ == "__main__":
    sys.stdout.write(keys.markdown(Explorer(open_stated(release_path())).state.actions))
