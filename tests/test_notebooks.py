"""The notebooks of course and atlas as files: executed, checked, small, readable. (nbval, beside this, runs them.)"""

import json
import re
from pathlib import Path

import pytest

from nlkit.claims import stored_report
from nlkit.index import listed

FOLDER = Path(__file__).parent.parent / "notebooks"
COURSE = sorted(FOLDER.glob("*.ipynb"))
ATLAS = [path for path in sorted((FOLDER / "atlas").glob("*.ipynb")) if path.stem != "00_index"]
CHECK = "nbval-check-output"


def load(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def code_cells(path: Path) -> list[dict]:
    return [c for c in load(path)["cells"] if c["cell_type"] == "code"]


def text_of(path: Path) -> str:
    return "\n".join("".join(c["source"]) for c in load(path)["cells"] if c["cell_type"] == "markdown")


def test_every_page_has_its_notebook_and_every_notebook_a_page():
    assert {f"notebooks/{path.relative_to(FOLDER).as_posix()}" for path in [*COURSE, *ATLAS]} == {
        entry["notebook"] for entry in listed()
    }


@pytest.fixture(params=[*COURSE, *ATLAS], ids=lambda p: p.stem)
def notebook(request):
    return request.param


def test_every_cell_was_run_once_from_top_to_bottom_without_error(notebook):
    assert [c["execution_count"] for c in code_cells(notebook)] == list(range(1, len(code_cells(notebook)) + 1))
    outputs = [o for c in code_cells(notebook) for o in c["outputs"]]
    assert not [o for o in outputs if o["output_type"] == "error" or o.get("name") == "stderr"]


def test_checked_cells_have_output_to_check(notebook):
    checked = [c for c in code_cells(notebook) if CHECK in c["metadata"].get("tags", [])]
    assert checked and all(c["outputs"] and c["execution_count"] for c in checked)


def test_claims_are_printed_in_a_checked_cell(notebook):
    (verdicts,) = [c for c in code_cells(notebook) if "print_verdicts" in "".join(c["source"])]
    assert CHECK in verdicts["metadata"]["tags"]
    assert "holds" in "".join(verdicts["outputs"][0]["text"])


def test_it_is_small_and_speaks_of_no_machine(notebook):
    raw = notebook.read_text(encoding="utf-8")
    assert len(raw.encode()) < (400_000 if notebook in ATLAS else 1_000_000)
    assert not re.search(r"(?<![\w.])/(home|root|Users|tmp|work)/", raw)


def test_every_picture_has_alternative_text(notebook):
    pictures = [o for c in code_cells(notebook) for o in c["outputs"] if "image/png" in o.get("data", {})]
    assert pictures
    assert all(len(o["metadata"]["image/png"]["alt"]) > 40 for o in pictures)


def test_it_follows_the_form_of_the_course(notebook):
    text = text_of(notebook)
    assert "**You will learn**" in text
    least = 1 if notebook in ATLAS else 3
    assert text.count("**Predict.**") >= least and text.count("**Explain.**") >= least
    sections = re.findall(r"^## (.+)$", text, flags=re.MULTILINE)
    assert sections[-1] == "What we claimed, and what we measured"
    assert any(section.startswith("Play") for section in sections)
    assert "**Three questions" in text and "**Read on.**" in text


def test_code_cells_are_short(notebook):
    for cell in code_cells(notebook):
        lines = [line for line in "".join(cell["source"]).splitlines() if line.strip()]
        assert len(lines) <= 20, "".join(cell["source"])[:80]


@pytest.mark.parametrize("notebook", COURSE, ids=lambda p: p.stem)
def test_what_a_notebook_measures_is_what_the_study_found_with_the_same_seed(notebook):
    """The notebook computes it in the open, the study by the claim's measure: two formulas, one number."""
    stored = {outcome.claim.sentence: outcome for outcome in stored_report().outcomes}
    (table,) = [
        "".join(output["data"]["text/plain"])
        for cell in code_cells(notebook)
        for output in cell["outputs"]
        if "claims_of(" in "".join(cell["source"]) and "text/plain" in output.get("data", {})
    ]
    for row in table.splitlines():
        if found := re.search(r"just now (-?[\d.e-]+)", row):
            outcome = stored[row.partition(" | ")[0]]
            claim, first = outcome.claim, tuple(cell[0] for cell in outcome.cells)
            expected = claim.worst(first) * (100 if claim.unit in ("%", "points") else 1)
            near = 1.5 if claim.unit in ("%", "points") else 1e-4  # other processors round otherwise
            assert float(found[1]) == pytest.approx(expected, abs=near), row
