"""The page of a study: everything is there, nothing of it is markup, and it works in a real browser."""

import html
import json
import re
import warnings
from dataclasses import replace

import pytest

from mcmc.report.page import render
from mcmc.study.results import study_results
from tests.support import browser
from tests.support.studies import SIZES, finished_study, small_study

HOSTILE = """<script>document.title='owned'</script><img src=x onerror="document.title='owned'">"& ' {{ 7*7 }}"""
needs_browser = pytest.mark.skipif(browser.BROWSER is None, reason="NO BROWSER: install chromium to test the page")
if browser.BROWSER is None:
    warnings.warn("no chromium on this machine: the page of a study is not tested in a browser", stacklevel=1)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    study = small_study(folder)
    return study_results(finished_study(folder, study), free_energy=False)


@pytest.fixture(scope="module")
def hostile(results):
    """The page of a study whose name, missing items, notes and reasons are markup."""
    found = results.combinations[0]
    cells = [replace(cell, notes=[HOSTILE]) for cell in found.cells]
    changed = replace(
        results,
        missing=[HOSTILE],
        study=replace(results.study, name=HOSTILE, base={**results.study.base, HOSTILE: HOSTILE}),
        combinations=[replace(found, cells=cells, settings={"model.x": HOSTILE}, refused=[HOSTILE])],
    )
    return render(changed, command=HOSTILE)


@pytest.fixture(scope="module")
def page(results):
    return render(results, command="mlp-gibbs study report DIR")


def test_every_number_is_there_with_its_error(results, page):
    (found,) = results.combinations
    assert len(found.limits) > 50
    rows = re.findall(r"<tr[^>]*><td>(\w+)</td>(.*?)</tr>", page)
    for limit in found.limits:
        cells = [
            f'data-value="{value}"' for value in (limit.beta, limit.extrapolation.value, limit.extrapolation.stderr)
        ]
        assert any(name == limit.observable and all(cell in row for cell in cells) for name, row in rows)


def test_how_it_was_made_is_there(results, page):
    text = html.unescape(page)
    for cell in results.cells:
        assert cell.cell.name in text
        assert str(cell.cell.config.run.seed) in text
        assert json.dumps(cell.cell.config.model_dump(mode="json"), indent=1) in text
    assert json.dumps(results.study.base, indent=1) in text
    assert "built-in method" not in text
    for words in ("torch 2", "mlp-gibbs study report DIR", "seed 20250331"):
        assert words in text


def test_figures_are_embedded_and_nothing_is_loaded(page):
    sources = re.findall(r'<img src="([^"]{30})', page)
    assert len(sources) >= 6
    assert all(source.startswith("data:image/svg+xml;base64,") for source in sources)
    assert not re.search(r'(src|href)="(?!data:|#)', page)


def test_the_same_study_gives_the_same_page(results, page):
    assert render(results, command="mlp-gibbs study report DIR") == page


def test_text_is_never_markup(hostile):
    assert HOSTILE not in hostile
    assert "<script>document" not in hostile
    assert "<img src=x" not in hostile
    assert html.unescape(hostile).count(HOSTILE) >= 7
    assert "{{ 7*7 }}" in html.unescape(re.search(r"<title>(.*?)</title>", hostile)[1])


def test_missing_items_are_told_on_the_page(hostile):
    assert "1 items are missing and not in these numbers: &lt;script&gt;" in hostile


@needs_browser
def test_it_loads_without_a_word_on_the_console(page, tmp_path):
    (tmp_path / "page.html").write_text(page)
    for width in (1200, 400):
        loaded = browser.load(tmp_path / "page.html", tmp_path / f"profile{width}", size=(width, 900))
        assert loaded.console == []
        assert "</html>" in loaded.document


@needs_browser
def test_a_hostile_name_does_nothing_in_a_browser(hostile, tmp_path):
    (tmp_path / "page.html").write_text(hostile)
    loaded = browser.load(tmp_path / "page.html", tmp_path / "profile")
    assert loaded.console == []
    assert "<title>owned" not in loaded.document


@needs_browser
def test_markup_that_slipped_through_is_refused_and_noticed(page, tmp_path):
    """The second lock, and the proof that the two tests above can fail."""
    (tmp_path / "page.html").write_text(page.replace("</h1>", HOSTILE + "</h1>", 1))
    loaded = browser.load(tmp_path / "page.html", tmp_path / "profile")
    assert any("Content Security Policy" in line for line in loaded.console)
    assert "<title>owned" not in loaded.document
    (tmp_path / "open.html").write_text(f"<title>page</title><body>{HOSTILE}</body>")
    assert "<title>owned" in browser.load(tmp_path / "open.html", tmp_path / "other").document


CLICK = """
const table = document.querySelector("table.limits"), found = {};
const text = (cell) => cell.dataset.value ?? cell.textContent;
const column = (i) => Array.from(table.tBodies[0].rows, (row) => text(row.cells[i]));
const buttons = Array.from(table.querySelectorAll("thead button"));
for (const name of ["observable", "beta", "n_sigma", "value"]) {
  const i = buttons.findIndex((button) => button.textContent === name);
  for (const turn of ["ascending", "descending"]) {
    buttons[i].click();
    found[name + " " + turn] = [buttons[i].closest("th").getAttribute("aria-sort"), column(i)];
  }
}
found.sorted = document.querySelectorAll("table.limits th[aria-sort]").length;
found.wide = document.documentElement.scrollWidth > document.documentElement.clientWidth;
document.body.textContent = JSON.stringify(found);
"""


@needs_browser
@pytest.mark.parametrize("width", [1200, 400])
def test_tables_sort_on_a_click_and_fit_a_narrow_window(results, page, tmp_path, width):
    (tmp_path / "page.html").write_text(browser.with_script(page, CLICK))
    loaded = browser.load(tmp_path / "page.html", tmp_path / "profile", size=(width, 900))
    assert loaded.console == []
    found = json.loads(html.unescape(re.search(r"<body>(.*)</body>", loaded.document, re.DOTALL)[1]))
    n_rows = len(results.combinations[0].limits)
    for name in ("beta", "value", "n_sigma"):
        for turn, is_reverse in (("ascending", False), ("descending", True)):
            state, column = found[f"{name} {turn}"]
            numbers = [float(text) for text in column if text]
            assert state == turn
            assert len(column) == n_rows
            assert column[len(numbers) :] == [""] * (n_rows - len(numbers))  # what has no number comes last
            assert numbers == sorted(numbers, reverse=is_reverse)
    names = found["observable ascending"][1]
    assert found["observable descending"][1] == sorted(names, reverse=True) != names
    assert found["sorted"] == 1
    assert not found["wide"]  # tables and figures scroll in their own boxes


def test_all_sizes_are_on_the_page(page):
    assert f"sizes N_0 = {', '.join(map(str, SIZES))}" in page
