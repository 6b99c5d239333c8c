"""Human labels: each set is the one of its name, and absent or broken files are said in one error."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from nlkit import DataError
from nlkit.data.load import find_dataset
from nlkit.noise.human import HUMAN_LABEL_SETS, find_human_labels, human_labels, human_matrix

KEYS = {
    "aggregate": "aggre_label",
    "random1": "random_label1",
    "random2": "random_label2",
    "random3": "random_label3",
    "worst": "worse_label",
    "clean": "clean_label",
}
NPZ, PT = "cifar-10n/cifar10n_labels.npz", "cifar-10n/CIFAR-10_human.pt"
SIZE = 50_000

FOUND = find_human_labels()
cifar10n = pytest.mark.skipif(FOUND is None, reason="cifar-10n/ was not found in NLKIT_DATA or data/")


def made_up_labels(dtype=np.int64) -> dict[str, np.ndarray]:
    """Each set starts at another digit, so that none can pass for another."""
    return {key: ((np.arange(SIZE) + start) % 10).astype(dtype) for start, key in enumerate(KEYS.values())}


def write(path: Path, arrays: object) -> Path:
    path.parent.mkdir(exist_ok=True)
    if path.suffix == ".npz":
        np.savez(path, **arrays)
    else:
        torch.save(arrays, path)
    return path


def test_the_sets_are_those_of_the_paper():
    assert HUMAN_LABEL_SETS == ("aggregate", "random1", "random2", "random3", "worst", "clean")


@pytest.mark.parametrize("which", KEYS)
@pytest.mark.parametrize("file, dtype", [(NPZ, np.uint8), (NPZ, np.int64), (PT, np.int64)])
def test_each_set_is_read_from_either_file(data_folders, which, file, dtype):
    arrays = made_up_labels(dtype)
    write(data_folders[0] / file, arrays)
    labels = human_labels(which)
    assert labels.dtype == torch.int64 and labels.shape == (SIZE,)
    assert np.array_equal(labels, arrays[KEYS[which]])


def test_a_file_of_tensors_is_read_too(data_folders):
    arrays = made_up_labels()
    write(data_folders[0] / PT, {key: torch.from_numpy(array) for key, array in arrays.items()})
    assert np.array_equal(human_labels("worst"), arrays["worse_label"])


def test_the_labels_are_ones_own_to_change(data_folders):
    write(data_folders[0] / NPZ, made_up_labels())
    human_labels("clean").fill_(3)
    assert human_labels("clean")[:3].tolist() == [5, 6, 7]


def test_the_named_folder_comes_before_the_kits_own(data_folders):
    kit = write(data_folders[1] / NPZ, made_up_labels())
    assert find_human_labels() == kit
    named = write(data_folders[0] / PT, made_up_labels())
    assert find_human_labels() == named


@pytest.mark.parametrize("which", ["worse", "Worst", "random4", "", None, 3])
def test_an_unknown_set_is_a_value_error_that_lists_the_known(data_folders, which):
    with pytest.raises(ValueError, match=f"which={which!r} is not known.*aggregate, clean, random1") as caught:
        human_labels(which)
    if which in ("worse", "Worst"):
        assert "did you mean 'worst'?" in str(caught.value)


def test_absent_files_are_named_with_folders_source_and_licence(data_folders):
    assert find_human_labels() is None
    with pytest.raises(DataError) as caught:
        human_labels("worst")
    for part in (NPZ, PT, *map(str, data_folders), "github.com/UCSC-REAL/cifar-10-100n", "CC BY-NC 4.0"):
        assert part in str(caught.value)
    assert not any(any(folder.iterdir()) for folder in data_folders)


def broken(**changes) -> dict[str, object]:
    return made_up_labels() | changes


WITHOUT_WORST = {key: array for key, array in made_up_labels().items() if key != "worse_label"}


@pytest.mark.parametrize("file", [NPZ, PT])
@pytest.mark.parametrize(
    "arrays, what",
    [
        (WITHOUT_WORST, "KeyError"),
        (broken(worse_label=np.arange(100) % 10), "100 labels instead of 50,000"),
        (broken(worse_label=np.zeros((SIZE, 2), np.int64)), "shape"),
        (broken(worse_label=np.full(SIZE, 10)), "from 10 to 10"),
        (broken(worse_label=np.full(SIZE, -1)), "from -1 to -1"),
        (broken(worse_label=np.zeros(SIZE)), "float64|Float64"),
        (broken(worse_label=np.array([None] * SIZE)), "can't be read"),
    ],
    ids=["absent", "short", "matrix", "too large", "negative", "float", "objects"],
)
def test_a_set_that_is_not_50000_digits_is_a_data_error_that_names_the_file(data_folders, file, arrays, what):
    path = write(data_folders[0] / file, arrays)
    with pytest.raises(DataError, match=what) as caught:
        human_labels("worst")
    assert f"{path} is broken: 'worst'" in str(caught.value)


@pytest.mark.parametrize("file", [NPZ, PT])
@pytest.mark.parametrize("damage", ["text", "empty", "cut", "flipped"])
def test_a_damaged_file_is_a_data_error(data_folders, file, damage):
    path = write(data_folders[0] / file, made_up_labels())
    data = path.read_bytes()
    middle = len(data) // 2
    flipped = data[:middle] + bytes([data[middle] ^ 0xFF]) + data[middle + 1 :]
    path.write_bytes({"text": b"not labels", "empty": b"", "cut": data[:middle], "flipped": flipped}[damage])
    with pytest.raises(DataError, match="is broken"):
        for which in HUMAN_LABEL_SETS:
            human_labels(which)


class Trap:
    def __reduce__(self):
        return os.mkdir, ("sprung",)


def test_a_file_that_would_run_code_is_refused(data_folders, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(data_folders[0] / PT, broken(worse_label=Trap()))
    with pytest.raises(DataError, match="UnpicklingError"):
        human_labels("clean")
    assert not Path("sprung").exists()


@cifar10n
@pytest.mark.full_data("cifar10")
def test_the_clean_set_is_cifar10s_own_in_its_order():
    folder = find_dataset("cifar10") / "cifar-10-batches-py"
    batches = [pickle.loads((folder / f"data_batch_{i}").read_bytes(), encoding="bytes") for i in range(1, 6)]
    assert human_labels("clean").tolist() == [label for batch in batches for label in batch[b"labels"]]


@cifar10n
@pytest.mark.parametrize(
    "which, percent",
    [("aggregate", 9.01), ("random1", 17.23), ("random2", 18.12), ("random3", 17.64), ("worst", 40.21)],
)
def test_the_share_of_wrong_labels_is_the_papers(which, percent):
    wrong = human_labels(which) != human_labels("clean")
    assert round(100 * wrong.double().mean().item(), 2) == percent


@cifar10n
def test_the_sets_relate_as_the_paper_makes_them():
    clean, aggregate, worst = (human_labels(which) for which in ("clean", "aggregate", "worst"))
    people = torch.stack([human_labels(f"random{i}") for i in (1, 2, 3)])  # (3, 50000)
    assert torch.equal(worst != clean, (people != clean).any(0))
    assert (people == worst).any(0).all()
    agreed = (people[0] == people[1]) | (people[0] == people[2]) | (people[1] == people[2])
    assert torch.equal(aggregate[agreed], people.mode(0).values[agreed])


@cifar10n
def test_the_published_file_and_the_arrays_hold_the_same_labels(data_folders, monkeypatch):
    named = [FOUND.with_name(Path(file).name) for file in (NPZ, PT)]
    if not all(path.is_file() for path in named):
        pytest.skip("only one of the two files is here")
    read = []
    for source, folder in zip(named, data_folders):
        (folder / "cifar-10n").mkdir()
        (folder / "cifar-10n" / source.name).write_bytes(source.read_bytes())
        monkeypatch.setenv("NLKIT_DATA", str(folder))
        read.append([human_labels(which) for which in HUMAN_LABEL_SETS])
    assert all(torch.equal(a, b) for a, b in zip(*read))


def test_the_matrix_has_the_published_share_of_wrong_labels():
    matrix = human_matrix()
    torch.testing.assert_close(matrix.sum(1), torch.ones(10, dtype=torch.float64))
    assert 1 - matrix.diagonal().mean() == pytest.approx(0.4021, abs=5e-5)


@cifar10n
def test_the_matrix_is_that_of_the_file():
    pairs = human_labels("clean") * 10 + human_labels("worst")
    counts = torch.bincount(pairs, minlength=100).view(10, 10).double()
    assert torch.equal(human_matrix(), counts / counts.sum(1, keepdim=True))
