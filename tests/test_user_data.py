"""Calibration and label files: good ones, and every way they can be wrong."""

import numpy as np
import pytest

from harness.errors import UsageError
from harness.types import TensorSpec
from suites.models.binding import TensorInfo
from suites.models.user_data import check_calibration, load_calibration, load_labels

IDS = TensorInfo(name="ids", dtype="int64", dims=(None, None), vocabulary=10)
SCALE = TensorInfo(name="scale", dtype="float32", dims=(1, 2))


@pytest.fixture
def save(tmp_path):
    def write(**arrays):
        path = tmp_path / "data.npz"
        np.savez(path, **arrays)
        return path

    return write


def test_samples_may_leave_out_the_batch_dimension(save):
    path = save(ids=np.zeros((5, 7), np.int64), scale=np.zeros((5, 1, 2), np.float32))
    assert check_calibration(path, (IDS, SCALE)) == (5, {"ids": (1, 7), "scale": (1, 2)})


def test_values_come_in_the_bound_shape_and_type(save):
    path = save(ids=np.ones((3, 4), np.int32), scale=np.ones((3, 2), np.float64))
    specs = (
        TensorSpec(name="ids", dtype="int64", shape=(1, 4), low=0, high=10),
        TensorSpec(name="scale", dtype="float32", shape=(1, 2), batched=False),
    )
    loaded = load_calibration(path, specs)
    assert loaded["ids"].shape == (3, 4) and loaded["ids"].dtype == np.int64
    assert loaded["scale"].shape == (3, 1, 2) and loaded["scale"].dtype == np.float32


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"ids": np.zeros((5, 7), np.int64)}, "has no array for input 'scale'"),
        (
            {"ids": np.zeros((5, 7), np.int64), "scale": np.zeros((5, 2)), "more": np.zeros(5)},
            "unknown input 'more'",
        ),
        ({"ids": np.zeros((5, 7), np.int64), "scale": np.zeros((4, 2))}, "same number of samples"),
        ({"ids": np.zeros((0, 7), np.int64), "scale": np.zeros((0, 2))}, "same number of samples"),
        ({"ids": np.int64(3), "scale": np.zeros((5, 2))}, "same number of samples"),
        ({"ids": np.zeros((5, 7)), "scale": np.zeros((5, 2))}, "is float64; the input takes int64"),
    ],
)
def test_arrays_that_do_not_fit_are_named(save, arrays, words):
    with pytest.raises(UsageError) as caught:
        check_calibration(save(**arrays), (IDS, SCALE))
    assert words in str(caught.value)


def test_python_objects_are_not_read(save):
    path = save(ids=np.array([{}], dtype=object), scale=np.zeros((1, 2)))
    with pytest.raises(UsageError, match="Python objects"):
        check_calibration(path, (IDS, SCALE))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 but no zip", b"ids,scale\n1,2\n"])
def test_what_is_no_npz_is_one_sentence(tmp_path, content):
    path = tmp_path / "data.npz"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="cannot read the calibration file"):
        check_calibration(path, (IDS, SCALE))
    with pytest.raises(UsageError, match="no such calibration file"):
        check_calibration(tmp_path / "absent.npz", (IDS, SCALE))


def test_values_that_no_sample_may_have_are_refused(save):
    spec = TensorSpec(name="ids", dtype="int64", shape=(1, 2), low=0, high=10)
    with pytest.raises(UsageError, match="from 0 to 9"):
        load_calibration(save(ids=np.array([[0, 10]])), (spec,))
    small = TensorSpec(name="ids", dtype="int8", shape=(1, 2), low=0, high=2)
    with pytest.raises(UsageError, match="does not fit int8"):
        load_calibration(save(ids=np.array([[0, 256]])), (small,))
    scale = TensorSpec(name="scale", dtype="float32", shape=(1, 2))
    with pytest.raises(UsageError, match="not finite"):
        load_calibration(save(scale=np.array([[0.0, np.nan]])), (scale,))


def test_labels_of_each_kind(tmp_path):
    np.save(tmp_path / "a.npy", np.array([[0], [2], [1]], np.uint8))
    np.savez(tmp_path / "b.npz", y=np.array([0.0, 2.0, 1.0]))
    (tmp_path / "c.csv").write_text("label\n0\n2\n1\n")
    for name in ("a.npy", "b.npz", "c.csv"):
        labels = load_labels(tmp_path / name, 3)
        assert labels.dtype == np.int64 and list(labels) == [0, 2, 1]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.csv", "0\n1\n", "has 2 labels for 3"),
        ("a.csv", "0\n1\ncat\n", "cannot read the labels"),
        ("a.csv", "0\n-1\n2\n", "not class indices"),
        ("a.json", "[0, 1, 2]", "unknown ending"),
        ("a.npy", "garbage", "cannot read the labels"),
    ],
)
def test_labels_that_cannot_be_used(tmp_path, name, content, words):
    (tmp_path / name).write_text(content)
    with pytest.raises(UsageError) as caught:
        load_labels(tmp_path / name, 3)
    assert words in str(caught.value)
    with pytest.raises(UsageError, match="no such labels file"):
        load_labels(tmp_path / "absent.npy", 3)
