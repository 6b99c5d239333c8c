"""Nothing is given away before a reader asks: the rule, and that the notebooks are written as it wants them."""

import re

import pytest
from test_notebooks import ATLAS, COURSE, load

from nlkit.commands.unspoiled import (
    QUESTION,
    TELLING,
    asks,
    folded,
    with_folds,
    with_results_behind_predictions,
    without_outputs,
)


def test_what_tells_is_folded_up_to_the_next_heading_or_question():
    source = "\n".join(
        ["About it.", "", "**Explain.** It is $x$.", "", "More of it.", "", "## Next", "", "**Predict.** And now?"]
    )
    assert folded(source).splitlines() == [
        "About it.", "", "<details><summary>Explain</summary>", "", "It is $x$.", "", "More of it.", "", "</details>",
        "", "## Next", "", "**Predict.** And now?",
    ]  # fmt: skip
    assert folded("**Answers.** One.\n\n**Predict.** Two?").splitlines() == [
        "<details><summary>Answers</summary>", "", "One.", "", "</details>", "", "**Predict.** Two?",
    ]  # fmt: skip


def test_code_within_is_no_heading_and_text_without_is_left_alone():
    inside = "**Explain.** So:\n\n```python\n# a comment\n**Explain.** no\n```\n\nThe end."
    assert folded(inside).count("<details>") == 1 and folded(inside).endswith("The end.\n\n</details>")
    for source in ("# A title\n\nText with **Explain.** in it.", "", "**Explanation.** No.\n"):
        assert folded(source).strip() == source.strip()


def test_the_results_between_question_and_explanation_are_hidden_and_no_others():
    def text(source):
        return {"cell_type": "markdown", "metadata": {}, "source": [source]}

    def code(*outputs, tags=("kept",)):
        return {"cell_type": "code", "metadata": {"tags": [*tags]}, "source": [""], "outputs": [*outputs]}

    both = text("**Explain.** !\n\n## On\n\n**Predict.** ?")
    cells = [code("a"), text("**Predict.** ?"), code(), code("b"), text("So it goes on."), code("c")]
    cells += [text("**Explain.** !\n\n## On"), code("d"), both, code("e")]
    made = with_results_behind_predictions({"cells": cells})["cells"]
    hidden = [cell["outputs"] for cell in made if "hide-output" in cell["metadata"].get("tags", [])]
    assert hidden == [["b"], ["c"], ["e"]]
    assert all("kept" in cell["metadata"]["tags"] for cell in made if cell["cell_type"] == "code")
    assert not [c for c in cells if "hide-output" in c["metadata"].get("tags", [])]  # what was handed in is as it was


@pytest.fixture(params=[*COURSE, *ATLAS], ids=lambda p: p.stem)
def notebook(request):
    return load(request.param)


def lines(cell):
    return "".join(cell["source"]).splitlines()


def test_every_prediction_is_followed_by_something_to_see_and_by_an_explanation(notebook):
    waits, seen = False, False
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            seen |= bool(cell["outputs"])
            continue
        for line in lines(cell):
            if QUESTION.match(line):
                assert not waits, f"unanswered before: {line}"
                waits, seen = True, False
            elif TELLING.match(line):
                assert seen or not waits, f"told before anything was seen: {line}"
                waits = False
    assert not waits


def test_questions_and_explanations_begin_a_paragraph_so_that_the_rule_finds_them(notebook):
    for cell in notebook["cells"]:
        if cell["cell_type"] != "markdown":
            continue
        paragraphs = re.split(r"\n\s*\n", "".join(cell["source"]))
        for paragraph in paragraphs:
            for word in re.findall(r"\*\*(?:Predict|Explain|Answers?)\.\*\*", paragraph):
                assert paragraph.startswith(word) and paragraph.count(word) == 1, paragraph


def test_nothing_that_asks_or_leads_on_is_folded_away(notebook):
    """What a reader needs before the next question, and the line before a cell of code, stand outside of the fold."""
    cells = notebook["cells"]
    for cell, after in zip(cells, [*cells[1:], {"cell_type": "markdown"}]):
        if cell["cell_type"] != "markdown":
            continue
        text = "".join(cell["source"])
        for told in re.split(r"^(?=#)", text, flags=re.MULTILINE):
            if re.search(r"^\*\*(Explain|Answers?)\.", told, flags=re.MULTILINE):
                assert not QUESTION.search(told), told
                assert not (after["cell_type"] == "code" and text.endswith(told)), told


def test_cells_with_answers_are_tagged_and_hold_nothing_else(notebook):
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "markdown"]
    tagged = ["".join(cell["source"]) for cell in cells if "answer" in cell["metadata"].get("tags", [])]
    answers = [text for text in map("".join, (cell["source"] for cell in cells)) if "**Answer" in text]
    assert tagged == answers and answers
    for text in answers:
        assert re.match(r"\*\*Answers?\.\*\* ", text) and not re.search(r"^#", text, flags=re.MULTILINE)


def test_the_three_closing_questions_have_three_answers(notebook):
    sources = ["".join(cell["source"]) for cell in notebook["cells"]]
    (place,) = [k for k, source in enumerate(sources) if "**Three questions" in source]
    for number in ("(1)", "(2)", "(3)"):
        assert number in sources[place] and number in sources[place + 1]
    assert sources[place + 1].startswith("**Answers.**")


def test_every_question_of_a_play_section_is_answered_below_its_panels(notebook):
    section, asked = "", ""
    for cell in notebook["cells"]:
        if "answer" in cell["metadata"].get("tags", []):
            asked = ""
        elif cell["cell_type"] == "markdown":
            for line in lines(cell):
                if line.startswith("## "):
                    assert not asked, f"unanswered: {asked}"
                    section = line
                elif section.startswith("## Play") and "?" in line:
                    asked = line
    assert section == "## What we claimed, and what we measured" and not asked


def test_in_the_learner_s_copy_none_of_it_is_left_open(notebook):
    made = with_folds(without_outputs(notebook))
    text = "\n".join("".join(c["source"]) for c in made["cells"] if c["cell_type"] == "markdown")
    before = "\n".join("".join(c["source"]) for c in notebook["cells"] if c["cell_type"] == "markdown")
    told = len(re.findall(r"^\*\*(?:Explain|Answers?)\.\*\*", before, flags=re.MULTILINE))
    assert text.count("<details><summary>") == text.count("</details>") == told > 3
    depth = 0
    for line in text.splitlines():
        depth += line.startswith("<details>") - line.startswith("</details>")
        assert depth in (0, 1) and not (depth and line.startswith("#"))
        assert not TELLING.match(line)


def test_a_question_waits_until_it_is_answered():
    def text(source):
        return {"source": [source]}

    assert asks(text("**Predict.** ?"), False) and asks(text("More."), True)
    assert not asks(text("**Explain.** !"), True) and not asks(text("More."), False)
