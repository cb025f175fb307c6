"""A person in JupyterLab and Notebook 7: the notebook runs, the page answers, and no key reaches the notebook."""

from __future__ import annotations

import pytest

from tests.widgets import actions

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def run_all(visit, url):
    """The explorer notebook at an address, run to its end."""
    page = visit.page
    page.goto(url, timeout=120_000)
    page.wait_for_selector(".jp-NotebookPanel .jp-CodeCell", timeout=90_000)
    if "/lab/" in url:
        page.wait_for_selector("text=/\\| Idle/", timeout=90_000)  # before its kernel is there nothing is run
    page.wait_for_timeout(1500)  # the menus come before they answer
    visit.errors.clear()  # Notebook 7 stumbles over a setting of its own while it starts
    page.click('.lm-MenuBar-itemLabel:has-text("Run")')
    page.click('.lm-Menu-itemLabel:text-is("Run All Cells")')
    visit.wait()
    page.evaluate("document.querySelector('.ew-page').scrollIntoView({block: 'start'})")
    return visit


@pytest.fixture
def opened(visit, lab):
    """The explorer notebook in JupyterLab, run to its end."""
    return run_all(visit, f"{lab}/lab/workspaces/test/tree/notebooks/explorer.ipynb?reset")


def test_the_page_works_in_a_notebook(opened, tmp_path):
    page = opened.page
    page.click(".ew-card[data-key=Lya]")
    opened.until("document.querySelector('.ew-line b')?.textContent.startsWith('Lyα')")
    before = opened.text(".ew-z b"), opened.text(".ew-ew b")
    page.click(".ew-card[data-key=OII]")
    opened.until("document.querySelector('.ew-line b')?.textContent.startsWith('[O II]')")
    assert opened.holds(lambda: opened.text(".ew-z b") != before[0] and opened.text(".ew-ew b") != before[1])
    opened.until(
        "[...document.querySelectorAll('.ew-spectrum text.label')].some(e => e.textContent.startsWith('[O II]'))"
    )

    pdf = opened.download(".ew-exports button:text-is('PDF')", tmp_path)
    assert pdf.read_bytes().startswith(b"%PDF")
    tables = pytest.importorskip("tables")
    with tables.open_file(str(opened.download(".ew-exports button:text-is('HDF5')", tmp_path))) as catalogue:
        assert catalogue.root.Detections.nrows == 1

    keys_stay_in_the_page(opened)
    opened.clean()


def keys_stay_in_the_page(visit):
    """Letters that mean something to the notebook act on the page alone."""
    cells = visit.page.locator(".jp-Cell").count()
    first = visit.text(".ew-who b")
    visit.page.focus(".ew-page")
    for key in ("n", "a", "b", "d", "d", "x", "m"):  # in the notebook: insert, delete, cut, to markdown
        visit.page.keyboard.press(key)
    visit.leaves(first)
    assert visit.page.locator(".jp-Cell").count() == cells


def test_notebook_7_shows_the_same_page(visit, lab):
    pytest.importorskip("notebook", reason="Notebook 7 is not installed: pip install .[browser]")
    opened = run_all(visit, f"{lab}/notebooks/notebooks/explorer.ipynb")
    assert opened.page.title() and opened.page.locator("#jp-MainLogo, #jp-NotebookLogo").count()  # not JupyterLab
    opened.page.click(".ew-card[data-key=OII]")
    opened.until("document.querySelector('.ew-line b')?.textContent.startsWith('[O II]')")
    opened.until(
        "[...document.querySelectorAll('.ew-spectrum text.label')].some(e => e.textContent.startsWith('[O II]'))"
    )
    keys_stay_in_the_page(opened)
    opened.clean()


def test_every_action_by_key_and_by_mouse_and_no_cell_is_touched(opened, simulated):
    page, subjects = opened.page, actions.subjects(simulated)
    opened.until("document.querySelectorAll('.ew-plot-box[data-ready]').length == 2")
    cells = "[...document.querySelectorAll('.jp-Cell .cm-content')].map(e => e.textContent).join('|')"
    before = page.evaluate(f"[{cells}, document.querySelectorAll('.jp-Cell').length]")
    failed = []
    for row in actions.TABLE:
        for way in ("key", "mouse"):
            try:
                row.by(actions.Hand(page), way, subjects)
            except Exception as error:  # noqa: BLE001 (all that fail are named, not the first alone)
                failed.append(f"{row.name} by {way}: {str(error).splitlines()[0]}")
    assert failed == []
    assert page.evaluate(f"[{cells}, document.querySelectorAll('.jp-Cell').length]") == before
    # letters that reached the notebook in command mode would have begun a cell, cut or deleted one
    assert page.evaluate("document.activeElement.closest('.ew-page') !== null")
    opened.clean()
