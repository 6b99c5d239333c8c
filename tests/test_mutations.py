"""The mutation check itself: its faults fit the source as it is, and it tells a caught one from one that survives."""

import pytest
from faults import FAULTS, Fault
from mutations import ROOT, check, copy_of_the_kit, planted, row

SOURCE = "def double(x):\n    return 2 * x\n"


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_is_a_change_of_one_place_in_code_that_still_compiles(fault):
    text = (ROOT / fault.file).read_text(encoding="utf-8")
    assert text.count(fault.old) == 1 and fault.new != fault.old
    if fault.file.endswith(".py"):
        compile(text.replace(fault.old, fault.new), fault.file, "exec")
    assert fault.tests and all((ROOT / test.partition("::")[0]).is_file() for test in fault.tests)


def test_faults_have_names_of_their_own():
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)


def test_the_copy_has_every_module_of_the_kit(tmp_path):
    copied = copy_of_the_kit(tmp_path)
    modules = {path.relative_to(ROOT) for folder in ("nlkit", "tests") for path in (ROOT / folder).rglob("*.py")}
    assert modules == {
        path.relative_to(copied) for part in ("nlkit", "tests") for path in (copied / part).rglob("*.py")
    }
    assert not (copied / "data").exists()


@pytest.fixture
def kit(tmp_path):
    (tmp_path / "double.py").write_text(SOURCE)
    (tmp_path / "test_double.py").write_text("from double import double\n\ndef test_it():\n    assert double(2) == 4\n")
    return tmp_path


def fault(old: str, new: str) -> Fault:
    return Fault("a fault", "double.py", old, new, ("test_double.py",))


@pytest.mark.nightly
def test_a_fault_that_no_test_notices_survives(kit):
    caught, survived = check([fault("2 * x", "3 * x"), fault("2 * x", "x * x")], kit)
    assert caught[1] == "test_double.py::test_it" and "`test_double.py::test_it`" in row(*caught)
    assert survived[1] is None and "**nothing**" in row(*survived)
    assert (kit / "double.py").read_text() == SOURCE


@pytest.mark.nightly
def test_tests_that_fail_anyway_or_cannot_run_prove_nothing(kit):
    with pytest.raises(RuntimeError, match="pytest ended with 2"):
        list(check([fault("return 2", "retrun 2")], kit))
    (kit / "double.py").write_text(SOURCE.replace("2", "3"))
    with pytest.raises(RuntimeError, match="test_double.py::test_it fails without any fault"):
        list(check([fault("3 * x", "2 * x")], kit))


@pytest.mark.parametrize("old, times", [("2 * y", 0), ("x", 2)])
def test_a_text_that_is_not_there_exactly_once_is_refused(kit, old, times):
    with (
        pytest.raises(ValueError, match=f"a fault: double.py has the text '.*' {times} times"),
        planted(fault(old, "0"), kit),
    ):
        pass
