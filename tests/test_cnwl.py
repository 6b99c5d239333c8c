"""Controlled Noisy Web Labels, from a small folder in the official layout whose every pixel the test knows."""

import random
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from nlkit import DataError, train
from nlkit.data.images import read_images
from nlkit.tasks.cnwl import LEVELS, MEAN, SIZES, STD, load_cnwl

WORDNET = ("n03000000", "n01000000", "n02000000")  # of labels 0, 1, 2; not in order, as in the official set
PER_CLASS, VALIDATION = 20, 4
SPLITS = [(color, level) for color in ("red", "blue") for level in LEVELS]


def pure_name(label: int, i: int) -> str:
    return f"{WORDNET[label]}{i:08d}.jpg"


def web_name(label: int, i: int) -> str:
    return f"{label:08x}{i:08x}.jpg"


def color_of(name: str) -> tuple[int, int, int]:
    """A colour for each image, at least 5 from any other in some channel."""
    if name.startswith("ILSVRC"):
        return (120, 5 * int(name[-8:-4]), 0)
    if name.startswith("n"):
        return (60 * WORDNET.index(name[:9]), 5 * int(name[9:17]), 255)
    return (60 * int(name[:8], 16), 5 * int(name[8:16], 16), 128)


def wrong_count(level: float) -> int:
    return round(level * PER_CLASS)


def split_lines(color: str, level: float) -> list[tuple[str, int]]:
    lines = []
    for label in range(3):
        for i in range(PER_CLASS):
            wrong = i < wrong_count(level)
            if color == "red":
                lines.append((web_name(label, i) if wrong else pure_name(label, i), label))
            else:
                lines.append((pure_name(label, i), (label + 1) % 3 if wrong else label))
    random.Random(f"{color} {level}").shuffle(lines)
    return lines


def validation_lines() -> list[tuple[str, int]]:
    return [(f"ILSVRC2012_val_{10 * i + label:08d}.jpg", label) for i in range(VALIDATION) for label in (2, 0, 1)]


def write_lines(path: Path, lines: list[tuple[str, int]]) -> None:
    path.write_text("".join(f"{name} {label}\n" for name, label in lines))


def paint(path: Path, shape: tuple[int, int] = (100, 90)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", shape, color_of(path.name)).save(path, quality=95)


@pytest.fixture(scope="module")
def official(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mini-imagenet")
    (folder / "split").mkdir()
    for label in range(3):
        for i in range(PER_CLASS):
            paint(folder / "all_images" / pure_name(label, i))
            paint(folder / "all_images" / web_name(label, i), (40, 130))
    for color, level in SPLITS:
        write_lines(folder / "split" / f"{color}_noise_nl_{level}", split_lines(color, level))
    write_lines(folder / "split/clean_validation", validation_lines())
    for name, label in validation_lines():
        paint(folder / "validation" / str(label) / name)
    return folder


@pytest.fixture
def copied(official, tmp_path):
    """A copy of the folder, to be damaged."""
    return Path(shutil.copytree(official, tmp_path / "mini-imagenet"))


def load(folder, color="red", level=0.4, clean_per_class=0, **options):
    return load_cnwl(folder, color=color, level=level, clean_per_class=clean_per_class, device="cpu", **options)


def as_colors(images: torch.Tensor) -> np.ndarray:
    """(N, 3) colour in 0 … 255 of each image, all of whose pixels are alike."""
    pixels = (images * torch.tensor(STD).view(3, 1, 1) + torch.tensor(MEAN).view(3, 1, 1)) * 255
    assert (pixels.amax((2, 3)) - pixels.amin((2, 3))).max() < 0.01
    return pixels.mean((2, 3)).numpy()


def shows(images: torch.Tensor, names: list[str]) -> bool:
    return np.allclose(as_colors(images), [color_of(name) for name in names], atol=2)  # JPEG is off by one or two


# What is loaded


@pytest.mark.parametrize("color, level", SPLITS)
def test_the_noisy_set_is_the_file_of_the_colour_and_level(official, color, level):
    task = load(official, color, level)
    lines = split_lines(color, level)
    names = [name for name, _ in lines]
    own = [WORDNET.index(name[:9]) if name.startswith("n") else -1 for name in names]
    assert task.given_labels.tolist() == [label for _, label in lines]
    assert task.true_labels.tolist() == own
    assert task.wrong.tolist() == [label != true for (_, label), true in zip(lines, own)]
    assert int(task.wrong.sum()) == 3 * wrong_count(level)
    assert task.realized_ratio == pytest.approx(level)
    assert task.index.tolist() == list(range(60))
    assert len(task.clean_labels) == 0
    assert shows(task.noisy_images, names)
    if color == "red":
        assert task.wrong.tolist() == [not name.startswith("n") for name in names]


@pytest.mark.parametrize("size", SIZES)
def test_the_test_set_is_the_clean_validation(official, size):
    task = load(official, size=size)
    assert task.test_images.shape == (3 * VALIDATION, 3, size, size)
    assert task.images.shape == (60, 3, size, size)
    assert task.images.dtype == task.test_images.dtype == torch.float32
    assert task.test_labels.tolist() == [label for _, label in validation_lines()]
    assert shows(task.test_images, [name for name, _ in validation_lines()])


def test_the_rest_of_the_task(official):
    task = load(official, "blue", 0.3, seed=7)
    assert (task.dataset, task.noise, task.seed) == ("mini_imagenet", "blue", 7)
    assert task.class_names == WORDNET
    assert (task.mean, task.std) == (MEAN, STD)
    assert task.given.dtype == task.true.dtype == task.test_labels.dtype == task.index.dtype == torch.int64
    assert task.wrong.dtype == torch.bool
    assert repr(task).startswith("Task(mini_imagenet: 60 noisy examples, 18 of them with a wrong label (30.0%, blue)")


def test_the_matrix_is_measured_on_the_images_that_have_a_class(official):
    blue = load(official, "blue", 0.2)
    assert torch.allclose(blue.matrix, blue.realized_matrix)
    assert torch.allclose(blue.matrix.float(), 0.8 * torch.eye(3) + 0.2 * torch.eye(3).roll(1, 1))
    assert torch.equal(load(official, "red", 0.8).matrix.float(), torch.eye(3))


def test_a_class_of_web_images_only_has_a_matrix_too(copied):
    lines = [(name, label) for name, label in split_lines("red", 0.4) if label or not name.startswith("n")]
    write_lines(copied / "split/red_noise_nl_0.4", lines)
    assert torch.equal(load(copied).matrix.float(), torch.eye(3))


def test_an_imagenet_image_with_another_classs_label_is_wrong_in_red_too(copied):
    lines = split_lines("red", 0.4)
    place = next(i for i, (name, _) in enumerate(lines) if name.startswith(WORDNET[1]))
    lines[place] = (lines[place][0], 2)
    write_lines(copied / "split/red_noise_nl_0.4", lines)
    task = load(copied)
    assert task.wrong[place] and task.true[place] == 1 and task.given[place] == 2


def test_classes_are_matched_by_most_of_their_images(copied):
    lines = split_lines("blue", 0.4)  # a level 0.0 that is not pure: 12 of 20 right
    write_lines(copied / "split/blue_noise_nl_0.0", lines)
    task = load(copied, "blue", 0.0, clean_per_class=11)
    assert int(task.wrong.sum()) == 24
    assert torch.equal(task.clean_labels, task.true[len(task.wrong) :])
    with pytest.raises(ValueError, match="clean_per_class=12 .* has 12 rightly labelled images"):
        load(copied, "blue", 0.0, clean_per_class=12)


@pytest.mark.parametrize(
    "text, names",
    [
        ("upright piano\ntoucan\nvase\n", ("upright piano", "toucan", "vase")),
        ("upright piano\ntoucan\n", WORDNET),
        ("vase\nvase\nvase\n", WORDNET),
        ("", WORDNET),
    ],
)
def test_class_names_are_read_if_there_is_one_a_class(copied, text, names):
    (copied / "class_name.txt").write_text(text)
    assert load(copied).class_names == names


def test_a_blank_end_and_tabs_do_no_harm(copied):
    path = copied / "split/red_noise_nl_0.4"
    path.write_text(path.read_text().replace(" ", "\t") + "\n\n")
    assert (
        load(copied).given.tolist() == load(copied, level=0.4).given.tolist() == [c for _, c in split_lines("red", 0.4)]
    )


def test_level_and_size_may_be_any_number_of_that_value(official):
    assert load(official, level=0).noise == "red"
    assert load(official, level=np.float64(0.2), size=np.int64(32)).images.shape[-1] == 32
    assert load(str(official), size=32.0).images.shape[-1] == 32


def test_a_method_trains_on_it(official):
    task = load(official, clean_per_class=2)
    records = list(train(task, "reweight", epochs=1, batch_size=16))
    assert len(records) == 1


# The clean set


def clean_names(task, color, level) -> list[str]:
    lines = task.index[len(task.wrong) :] - len(split_lines(color, level))
    assert (lines >= 0).all() and (lines.diff() > 0).all()
    return [split_lines(color, 0.0)[i][0] for i in lines.tolist()]


@pytest.mark.parametrize("color", ["red", "blue"])
@pytest.mark.parametrize("level", [0.0, 0.3, 0.8])
def test_the_clean_set_is_so_many_a_class_and_the_noisy_set_goes_without(official, color, level):
    task = load(official, color, level, clean_per_class=5)
    clean = clean_names(task, color, level)
    assert torch.bincount(task.clean_labels).tolist() == [5, 5, 5]
    assert task.clean_labels.tolist() == [WORDNET.index(name[:9]) for name in clean]
    assert torch.equal(task.true[len(task.wrong) :], task.clean_labels)
    assert shows(task.clean_images, clean)
    lines = split_lines(color, level)
    kept = [i for i, (name, _) in enumerate(lines) if name not in clean]
    assert task.index[: len(task.wrong)].tolist() == kept
    assert task.given_labels.tolist() == [lines[i][1] for i in kept]
    assert shows(task.noisy_images, [lines[i][0] for i in kept])


def test_the_clean_set_is_the_same_at_every_level(official):
    for color in ("red", "blue"):
        sets = [set(clean_names(load(official, color, level, 5), color, level)) for level in LEVELS]
        assert all(s == sets[0] for s in sets)


def test_the_clean_set_of_a_few_is_part_of_that_of_many(official):
    sets = [set(clean_names(load(official, clean_per_class=k), "red", 0.4)) for k in (0, 1, 5, 19)]
    assert [len(s) for s in sets] == [0, 3, 15, 57]
    assert all(few < many for few, many in zip(sets, sets[1:]))


def test_another_seed_draws_another_clean_set(official):
    first, again, other = (load(official, clean_per_class=5, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first.index, again.index)
    assert not torch.equal(first.index, other.index)


def test_no_clean_image_is_a_test_image(official):
    task = load(official, clean_per_class=19)
    clean, test = as_colors(task.clean_images).round(), as_colors(task.test_images).round()
    assert not (clean[:, None] == test[None]).all(2).any()


# Pixels


@pytest.mark.parametrize("size", SIZES)
def test_an_image_shrinks_by_area_average(tmp_path, size):
    corners = np.zeros((168, 168, 3), np.uint8)
    corners[:84, :84], corners[:84, 84:], corners[84:, :84] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    Image.fromarray(corners).save(tmp_path / "corners.png")
    stripes = np.zeros((168, 168, 3), np.uint8)
    stripes[::2] = 200
    Image.fromarray(stripes).save(tmp_path / "stripes.png")
    images = read_images(tmp_path, ["corners.png", "stripes.png"], size)
    assert images.shape == (2, 3, size, size) and images.dtype == torch.uint8
    half = size // 2
    assert (images[0, :, :half, :half] == torch.tensor([255, 0, 0]).view(3, 1, 1)).all()
    assert (images[0, :, :half, half:] == torch.tensor([0, 255, 0]).view(3, 1, 1)).all()
    assert (images[0, :, half:, :half] == torch.tensor([0, 0, 255]).view(3, 1, 1)).all()
    assert (images[0, :, half:, half:] == 0).all()
    assert (images[1].float() - 100).abs().max() <= 25  # averaged: picking single rows would give 0 and 200


def test_a_whole_image_is_scaled_and_a_small_one_grows_smoothly(tmp_path):
    wide = np.zeros((40, 400, 3), np.uint8)
    wide[:, 200:] = 255
    Image.fromarray(wide).save(tmp_path / "wide.png")
    Image.fromarray(np.array([[0, 255]], np.uint8)).save(tmp_path / "small.png")
    Image.fromarray(np.array([[0] * 64, [255] * 64], np.uint8)).save(tmp_path / "low.png")
    wide, small, low = read_images(tmp_path, ["wide.png", "small.png", "low.png"], 32)
    assert (wide[:, :, :16] == 0).all() and (wide[:, :, 16:] == 255).all()
    for line in (small[0, 0].int(), low[0, :, 0].int()):
        assert line[0] == 0 and line[-1] == 255 and line.diff().min() >= 0 and line.diff().max() < 32


@pytest.mark.parametrize(
    "mode, value", [("L", 77), ("P", None), ("RGBA", (77, 77, 77, 255)), ("CMYK", (0, 0, 0, 178)), ("1", 255)]
)
def test_every_kind_of_image_becomes_rgb(tmp_path, mode, value):
    image = Image.new("RGB", (50, 50), (77, 77, 77)).convert("P") if mode == "P" else Image.new(mode, (50, 50), value)
    image.save(tmp_path / ("image.jpg" if mode == "CMYK" else "image.png"))
    pixels = read_images(tmp_path, [path.name for path in tmp_path.iterdir()], 32)
    assert pixels.shape == (1, 3, 32, 32)
    expected = 255 if mode == "1" else 77
    assert (pixels.int() - expected).abs().max() <= (26 if mode == "P" else 2)  # a fixed palette is coarse


def test_images_come_in_the_order_asked_for_and_as_often(official):
    names = [pure_name(2, 5), web_name(0, 1), pure_name(2, 5), pure_name(0, 0)]
    images = read_images(official, [f"all_images/{name}" for name in names], 32).float()
    assert np.allclose(images.mean((2, 3)), [color_of(name) for name in names], atol=2)


# The cache


def contents(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def test_nothing_is_written_without_a_cache(copied):
    before = contents(copied.parent)
    load(copied)
    assert contents(copied.parent) == before


def test_with_a_cache_an_image_is_opened_once(copied, tmp_path):
    cache = tmp_path / "small"
    before = contents(tmp_path)
    first = load(copied, cache=cache, clean_per_class=2)
    assert contents(tmp_path) - before == {"small"}
    shutil.rmtree(copied / "all_images")
    shutil.rmtree(copied / "validation")
    again = load(copied, cache=str(cache), clean_per_class=2)
    assert torch.equal(first.images, again.images) and torch.equal(first.test_images, again.test_images)
    with pytest.raises(DataError, match="images are missing"):
        load(copied, cache=cache, level=0.0)


def test_a_cache_grows_by_the_images_it_lacks(copied, tmp_path):
    cache = tmp_path / "images.npz"
    load(copied, level=0.0, cache=cache)
    assert len(np.load(cache)["files"]) == 60 + 3 * VALIDATION
    fresh = load(copied, level=0.8, cache=cache)
    assert len(np.load(cache)["files"]) == 60 + 3 * VALIDATION + 48
    assert torch.equal(fresh.images, load(copied, level=0.8).images)


def test_a_cache_is_for_one_size(copied, tmp_path):
    load(copied, cache=tmp_path / "c", size=32)
    with pytest.raises(ValueError, match="cache=.*holds images of 32 by 32; size=84 needs a file of its own"):
        load(copied, cache=tmp_path / "c", size=84)


@pytest.mark.parametrize("place", [".", "absent/cache"])
def test_a_cache_must_be_a_file_in_a_folder(official, tmp_path, place):
    with pytest.raises(ValueError, match="cache=.* must be a file, in a folder that exists"):
        load(official, cache=tmp_path / place)


@pytest.mark.parametrize("damage", ["text", "empty", "cut", "other arrays", "other shape"])
def test_a_broken_cache_is_a_data_error(official, tmp_path, damage):
    cache = tmp_path / "cache.npz"
    load(official, cache=cache)
    data = cache.read_bytes()
    if damage == "other arrays":
        np.savez(cache, a=1)
    elif damage == "other shape":
        np.savez(cache, files=np.array(["a", "b"]), images=np.zeros((1, 3, 32, 32), np.uint8))
    else:
        cache.write_bytes({"text": b"not images", "empty": b"", "cut": data[: len(data) // 2]}[damage])
    with pytest.raises(DataError, match=f"cache {cache} can't be read"):
        load(official, cache=cache)


# Errors


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"color": "green"}, "color='green' is not known.*blue, red"),
        ({"color": "Red"}, "did you mean 'red'"),
        ({"level": 0.25}, "level=0.25 must be one of 0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8"),
        ({"level": "0.2"}, "level='0.2' must be one of"),
        ({"level": False}, "level=False must be one of"),
        ({"level": float("nan")}, "level=nan must be one of"),
        ({"level": 40}, "level=40 must be one of"),
        ({"size": 64}, "size=64 must be one of 32, 84"),
        ({"size": None}, "size=None must be one of"),
        ({"clean_per_class": -1}, "clean_per_class=-1 must be a whole number"),
        ({"clean_per_class": 1.5}, "clean_per_class=1.5 must be a whole number"),
        ({"clean_per_class": 20}, "clean_per_class=20 .* 0 to 19: .*red_noise_nl_0.0 has 20 rightly labelled images"),
        ({"seed": -1}, "seed=-1"),
        ({"device": "abacus"}, "device='abacus'"),
    ],
)
def test_a_bad_argument_is_a_value_error_that_names_it(official, changes, message):
    arguments = {"color": "red", "level": 0.4, "clean_per_class": 0, "device": "cpu"} | changes
    with pytest.raises(ValueError, match=message):
        load_cnwl(official, **arguments)


def test_an_absent_folder_is_named(tmp_path):
    with pytest.raises(DataError, match=f"{tmp_path / 'absent'} does not exist.*all_images/.*mini-imagenet/"):
        load(tmp_path / "absent")
    with pytest.raises(DataError, match=f"{tmp_path} has no split/"):
        load(tmp_path)


@pytest.mark.parametrize("name", ["red_noise_nl_0.4", "red_noise_nl_0.0", "clean_validation"])
def test_an_absent_or_unreadable_split_is_named(copied, name):
    path = copied / "split" / name
    path.write_text("\n")
    with pytest.raises(DataError, match=f"{path} is empty"):
        load(copied)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=f"{path} is broken"):
        load(copied)
    path.unlink()
    with pytest.raises(DataError, match=f"{path} is missing"):
        load(copied)


@pytest.mark.parametrize(
    "line", ["n0300000000000001.jpg", "a.jpg 1 2", "a.jpg one", "a.jpg -1", "a.jpg 1.0", "", "a.jpg ²"]
)
@pytest.mark.parametrize("name", ["blue_noise_nl_0.1", "clean_validation"])
def test_a_malformed_line_is_named_by_file_and_number(copied, name, line):
    path = copied / "split" / name
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:6], line, *lines[6:]]), encoding="utf-8")
    with pytest.raises(DataError, match=f"{name}, line 7: .* is not of the form 'image_name label'"):
        load(copied, "blue", 0.1)


def test_a_label_beyond_the_classes_is_named_by_file_and_number(copied):
    path = copied / "split/red_noise_nl_0.4"
    path.write_text(path.read_text() + "abc.jpg 3\n")
    with pytest.raises(
        DataError, match="red_noise_nl_0.4, line 61: class 3 is unknown; split/clean_validation has 0 to 2"
    ):
        load(copied)


def test_an_unknown_wordnet_class_is_named_by_file_and_number(copied):
    path = copied / "split/red_noise_nl_0.4"
    path.write_text(f"n0999999900000001.jpg 1\n{path.read_text()}")
    with pytest.raises(
        DataError, match="red_noise_nl_0.4, line 1: n0999999900000001.jpg is of class n09999999, unknown"
    ):
        load(copied)


@pytest.mark.parametrize("absent, named", [(0, 0), (1, 1)])
def test_a_class_without_validation_images_is_named(copied, absent, named):
    write_lines(copied / "split/clean_validation", [line for line in validation_lines() if line[1] != absent])
    with pytest.raises(DataError, match=f"clean_validation has no image of class {named}"):
        load(copied)


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda name, label: (name, min(label, 1)), "n01000000 and of n02000000 have label 1"),
        (lambda name, label: (name.replace(WORDNET[2], "web"), label), "no class have label 2"),
        (lambda name, label: (name.replace(WORDNET[2], WORDNET[1]), label), "no class have label"),
    ],
    ids=["two classes", "none", "merged"],
)
def test_labels_that_do_not_match_the_wordnet_classes_are_a_data_error(copied, change, message):
    write_lines(copied / "split/red_noise_nl_0.0", [change(*line) for line in split_lines("red", 0.0)])
    with pytest.raises(DataError, match=f"red_noise_nl_0.0 must give each label to one WordNet class.*{message}"):
        load(copied)


def test_missing_images_are_counted_and_the_first_named(copied):
    (copied / "all_images" / pure_name(1, 19)).unlink()
    with pytest.raises(DataError, match=f"1 of 72 images is missing from {copied}: all_images/{pure_name(1, 19)}. The"):
        load(copied)
    for name, label in validation_lines()[:4]:
        (copied / "validation" / str(label) / name).unlink()
    with pytest.raises(DataError, match="5 of 72 images are missing.*validation/2/ILSVRC.*and 2 more.*addresses"):
        load(copied)
    shutil.rmtree(copied / "all_images")
    with pytest.raises(DataError, match="64 of 72 images are missing"):
        load(copied)


def test_broken_images_are_counted_and_named(copied, tmp_path):
    names = [name for name, _ in split_lines("red", 0.4)]
    whole = (copied / "all_images" / names[0]).read_bytes()
    for name, data in zip(names, [b"", b"not an image", whole[: len(whole) // 2]]):
        (copied / "all_images" / name).write_bytes(data)
    with pytest.raises(DataError, match="3 of 72 images are broken in") as caught:
        load(copied, cache=tmp_path / "cache")
    assert all(name in str(caught.value) for name in names[:3])
    assert not (tmp_path / "cache").exists()


def test_only_the_images_of_the_task_are_needed(copied):
    needed = {name for name, _ in split_lines("red", 0.2)}
    for path in (copied / "all_images").iterdir():
        if path.name not in needed:
            path.unlink()
    for name, level in [(f"{c}_noise_nl_{level}", level) for c, level in SPLITS]:
        if name != "red_noise_nl_0.2" and level:
            (copied / "split" / name).unlink()
    assert len(load(copied, level=0.2).wrong) == 60
