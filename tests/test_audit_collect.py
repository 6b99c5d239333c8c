"""What is audited is read as it is, what can't be is told, and nothing of the user's is ever written to."""

import hashlib
import os

import numpy as np
import pandas
import pytest
from PIL import Image
from sklearn.feature_extraction.text import TfidfVectorizer

from nlkit.audit.collect import collect, read_trusted
from nlkit.audit.tables import kind_of
from nlkit.checks import DataError


def digest(folder) -> dict:
    """Content and time of change of every file and folder below a folder."""
    return {
        path: (path.stat().st_mtime_ns, hashlib.sha256(path.read_bytes()).digest() if path.is_file() else None)
        for path in [folder, *folder.rglob("*")]
    }


def images(folder, classes, count=6, mode="L"):
    generator = np.random.default_rng(0)
    for name in classes:
        (folder / name).mkdir(parents=True)
        for i in range(count):
            pixels = generator.integers(0, 255, (9, 7) if mode == "L" else (9, 7, 3), np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{i}.png")
    return folder


# Folders


def test_a_folder_of_images_is_read_by_class_and_stays_as_it_was(tmp_path):
    folder = images(tmp_path / "pets", ["dog", "cat"])
    (folder / "cat" / "broken.png").write_bytes(b"no image")
    (folder / "empty").mkdir()
    (folder / "notes.txt").write_text("mine")
    before = digest(folder)
    found = collect(folder, size=8)
    assert digest(folder) == before
    assert found.class_names == ("cat", "dog") and found.given.tolist() == [0] * 6 + [1] * 6
    assert found.ids[0] == "cat/0.png" and found.file_of(11) == folder / "dog" / "5.png"
    assert found.shape == (1, 8, 8) and found.features.shape == (12, 64)  # grey, since all are
    assert found.features.mean() == pytest.approx(0, abs=1e-5) and found.features.std() == pytest.approx(1, abs=1e-5)
    assert any("1 images that can't be read: cat/broken.png" in note for note in found.notes)
    assert any("empty" in note for note in found.notes)


def test_colours_are_kept_where_there_are_any(tmp_path):
    folder = images(tmp_path / "a", ["x", "y"], count=5, mode="RGB")
    assert collect(folder, size=8).shape == (3, 8, 8)


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda f: images(f, ["only"]), ValueError, "1 class.* an audit compares classes, and needs two"),
        (lambda f: images(f, ["a", "b"], count=2), ValueError, r"0 class\(es\) of at least 5"),
        (lambda f: f.mkdir(), ValueError, "must have a folder of images for each class, and it has no images"),
        (lambda f: (f.mkdir(), (f / "a.png").touch()), ValueError, "without a folder for each class"),
        (lambda f: ((f / "a").mkdir(parents=True), (f / "a" / "x.jpg").write_text("")), DataError, "none of the 1"),
    ],
)
def test_a_folder_of_which_no_audit_can_come_is_refused(tmp_path, make, error, words):
    make(tmp_path / "folder")
    with pytest.raises(error, match=words):
        collect(tmp_path / "folder")


def test_what_is_not_there_or_of_another_kind_is_refused(tmp_path):
    with pytest.raises(ValueError, match="path='.*nowhere' does not exist"):
        collect(tmp_path / "nowhere")
    (tmp_path / "a.xlsx").touch()
    with pytest.raises(ValueError, match=r"must be a folder, or end in \.csv, \.parquet, \.npy or \.npz"):
        collect(tmp_path / "a.xlsx")
    with pytest.raises(ValueError, match="labels='y' must be left out for a folder"):
        collect(tmp_path, "y")


# Tables


@pytest.fixture
def table():
    generator = np.random.default_rng(0)
    words = ["the cat sat on a mat", "a dog ran after the ball", "birds sing in the old tree"]
    return pandas.DataFrame({
        "id": [f"row-{i}" for i in range(60)],
        "size": np.r_[np.nan, np.inf, generator.normal(size=58)],
        "nothing": np.full(60, np.nan),
        "same": ["always"] * 60,
        "colour": ["red", "green", None] * 20,
        "text": [f"{words[i % 3]} {i}" for i in range(60)],
        "label": ["yes", "no", "maybe"] * 19 + ["yes", "", None],
    })  # fmt: skip


def test_numbers_categories_and_texts_become_features(table, tmp_path):
    table.to_csv(tmp_path / "t.csv", index=False)
    before = digest(tmp_path)
    found = collect(tmp_path / "t.csv", "label")
    assert digest(tmp_path) == before
    assert found.class_names == ("maybe", "no", "yes") and found.count == 58
    assert [kind_of(table[name]) for name in ("size", "colour", "text")] == ["number", "category", "text"]
    notes = "; ".join(found.notes)
    assert "2 rows without a label: 58, 59" in notes and "are empty: nothing" in notes
    assert "the same in every row: same" in notes and "only name their row: id" in notes and "2 rows have gaps" in notes
    assert np.isfinite(found.features).all()
    kept = table.iloc[:58]
    median = np.nanmedian(kept["size"].where(np.isfinite(kept["size"])))
    filled = kept["size"].where(np.isfinite(kept["size"]), median)
    assert found.features[:, 0] == pytest.approx((filled - filled.mean()) / filled.std(ddof=0), abs=1e-5)
    assert (found.features[:, 1:4].sum(1) == 1).all()  # red, green, none
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"(?u)\b\w+\b")
    texts = words.fit_transform(kept["text"])
    assert found.features[:, 4:] == pytest.approx(texts.toarray(), abs=1e-5)


def test_parquet_is_read_as_csv_is(table, tmp_path):
    table.to_csv(tmp_path / "t.csv", index=False)
    table.to_parquet(tmp_path / "t.parquet")
    one, other = (collect(tmp_path / f"t.{kind}", "label") for kind in ("csv", "parquet"))
    assert (one.features == other.features).all() and (one.given == other.given).all() and one.ids == other.ids


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (None, "labels must name the column"),
        ("lable", "did you mean 'label'"),
        ("nothing", "is empty in all 60 rows"),
        ("size", "58 different values; an audit is of classes"),
    ],
)
def test_a_column_that_has_no_labels_is_refused(table, tmp_path, labels, words):
    table.to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(ValueError, match=words):
        collect(tmp_path / "t.csv", labels)


def test_a_table_of_which_nothing_can_be_learned_is_refused(table, tmp_path):
    table[["nothing", "same", "id", "label"]].to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(
        ValueError, match="no column to learn from beside the labels: left out: columns that are empty: nothing"
    ):
        collect(tmp_path / "t.csv", "label")
    (tmp_path / "u.parquet").write_bytes(b"no table")
    with pytest.raises(DataError, match="can't be read as a table"):
        collect(tmp_path / "u.parquet", "label")
    (tmp_path / "e.csv").write_text("a,label\n")
    with pytest.raises(ValueError, match="without rows"):
        collect(tmp_path / "e.csv", "label")


def test_classes_too_small_to_be_compared_are_left_out(tmp_path):
    labels = ["a"] * 8 + ["b"] * 8 + ["rare"]
    pandas.DataFrame({"x": range(17), "label": labels}).to_csv(tmp_path / "t.csv", index=False)
    found = collect(tmp_path / "t.csv", "label")
    assert found.class_names == ("a", "b") and found.count == 16 and len(found.rows) == 16
    assert found.notes[-1] == "left out: 1 examples of classes with fewer than 5: rare (1)"


# Arrays


def test_features_and_images_are_read_from_arrays(tmp_path):
    generator, labels = np.random.default_rng(0), np.array(["b", "a"] * 6)
    features = generator.normal(3, 2, (12, 4))
    features[:, 1], features[:, 2], features[3, 0] = 7, np.nan, np.inf
    np.savez(tmp_path / "a.npz", X=features, y=labels)
    found = collect(tmp_path / "a.npz")
    assert found.features.shape == (12, 2) and found.features[3, 0] == 0 and found.class_names == ("a", "b")
    assert found.features.mean(0) == pytest.approx([0, 0], abs=1e-5) and len(found.notes) == 3
    np.save(tmp_path / "p.npy", generator.integers(0, 255, (12, 5, 5, 3), np.uint8))
    (tmp_path / "l.txt").write_text("\n".join(labels))
    pixels = collect(tmp_path / "p.npy", str(tmp_path / "l.txt"))
    assert pixels.shape == (3, 5, 5) and pixels.given.tolist() == [1, 0] * 6


def test_what_is_in_memory_goes_in_as_a_frame_or_a_pair_and_is_not_changed(table, tmp_path):
    before = table.copy()
    table.to_csv(tmp_path / "t.csv", index=False)
    frame, file = collect(table, "label"), collect(tmp_path / "t.csv", "label")
    assert table.equals(before) and frame.ids == file.ids and (frame.features == file.features).all()
    features, labels = np.random.default_rng(0).normal(size=(12, 3)), np.array(["b", "a"] * 6)
    kept = features.copy()
    pair = collect((features, labels))
    assert (features == kept).all() and pair.features == pytest.approx((kept - kept.mean(0)) / kept.std(0), abs=1e-5)


@pytest.mark.parametrize(
    ("arrays", "error", "words"),
    [
        ({"X": np.ones((9, 2)), "y": np.arange(9)}, ValueError, "no column that varies"),
        ({"X": np.eye(9), "y": np.arange(8)}, ValueError, "must be one label a row"),
        ({"X": np.eye(9), "z": np.arange(9)}, ValueError, "labels='y' is no array"),
        ({"X": np.eye(9), "y": np.full(9, np.nan)}, ValueError, "no label .* in all 9"),
        ({"X": np.array([{}] * 9, object), "y": np.arange(9)}, DataError, "can't be read as an array"),
    ],
)
def test_arrays_that_make_no_sense_are_refused(tmp_path, arrays, error, words):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(error, match=words):
        collect(tmp_path / "a.npz")


# The trusted part


@pytest.fixture
def numbers(tmp_path):
    features = np.random.default_rng(0).normal(size=(20, 3))
    features[7] = features[4]
    np.savez(tmp_path / "n.npz", X=features, y=np.array(["a", "b"] * 10))
    return tmp_path / "n.npz"


def test_a_file_of_ids_is_trusted_with_its_labels(numbers, tmp_path):
    (tmp_path / "clean.csv").write_text("id,label\n3\n5,a\n5,a\n")
    found = collect(numbers, clean=tmp_path / "clean.csv")
    assert np.flatnonzero(found.clean).tolist() == [3, 5]
    assert found.trusted[[3, 5]].tolist() == [1, 0] and found.given[5] == 1 and found.believed[5] == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("3,a\n3,b\n", "tells two labels of 3: 'a' and 'b'"),
        ("99\n", "'99', and .* has no such row"),
        ("3,c\n", "clean's label of 3='c' is not known"),
        ("id\n\n", "names no row"),
        ("4\n7\n", r"clean contradicts itself: .* 4 \(a\), 7 \(b\)"),
    ],
)
def test_a_trusted_part_that_contradicts_itself_or_names_nothing_is_refused(numbers, tmp_path, text, words):
    (tmp_path / "clean.csv").write_text(text)
    with pytest.raises(ValueError, match=words):
        collect(numbers, clean=tmp_path / "clean.csv")


def test_a_column_may_mark_what_is_trusted(tmp_path):
    frame = pandas.DataFrame({"x": range(12), "label": ["a", "b"] * 6, "checked": [1, 0, 0] * 4})
    frame.to_csv(tmp_path / "t.csv", index=False)
    found = collect(tmp_path / "t.csv", "label", "checked")
    assert np.flatnonzero(found.clean).tolist() == [0, 3, 6, 9] and found.features.shape == (12, 1)
    with pytest.raises(ValueError, match="neither a file of ids nor a column"):
        collect(tmp_path / "t.csv", "label", "chekced")
    with pytest.raises(ValueError, match="marks no row by 1"):
        collect(frame.assign(checked=0), "label", "checked")
    frame["checked"] = "perhaps"
    frame["checked"] = frame["checked"].where(frame.index > 0, "no")
    frame.to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(ValueError, match="'perhaps'; it must mark rows by 1 and 0"):
        collect(tmp_path / "t.csv", "label", "checked")


def test_a_file_of_ids_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "clean.csv").write_bytes(os.urandom(64) + b"\xff")
    with pytest.raises(DataError, match="can't be read"):
        read_trusted(tmp_path / "clean.csv")
