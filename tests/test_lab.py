"""`nlkit lab`: JupyterLab on this machine only, in the course's folder, without a pop-up."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from nlkit import DataError
from nlkit.commands import main as cli
from nlkit.commands.lab import app_command, cost_of_a_room, lab_command, lab_environment, learners_folder

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"
ANNOUNCEMENTS = "@jupyterlab/apputils-extension:announcements"


def test_the_command_opens_the_course_on_the_loopback_interface():
    command = lab_command(("--no-browser", "--port=9999"), NOTEBOOKS)
    assert command[:3] == [sys.executable, "-m", "jupyterlab"]
    assert "--ip=127.0.0.1" in command
    assert f"--ServerApp.root_dir={NOTEBOOKS}" in command
    assert command[-2:] == ["--no-browser", "--port=9999"]
    assert not [option for option in command if "token" in option or "password" in option]  # so Jupyter makes a token


def disabled_extensions(environment: dict[str, str]) -> list[str]:
    """What JupyterLab itself reads as disabled when it is started in this environment."""
    script = (
        "import json, jupyterlab.commands as commands, jupyterlab_server.config as config\n"
        "page = config.get_page_config([], commands.get_app_dir() + '/settings')\n"
        "print(json.dumps(page['disabledExtensions']))"
    )
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    return json.loads(done.stdout)


def test_the_news_pop_up_is_off_and_a_user_s_own_settings_stay_on(tmp_path, monkeypatch):
    (tmp_path / "labconfig").mkdir()
    (tmp_path / "labconfig/page_config.json").write_text('{"disabledExtensions": {"of-the-user": true}}')
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", str(tmp_path))
    assert {ANNOUNCEMENTS, "of-the-user"} <= set(disabled_extensions(lab_environment()))


def test_the_news_pop_up_is_off_when_the_user_has_no_settings(tmp_path, monkeypatch):
    monkeypatch.delenv("JUPYTER_CONFIG_PATH", raising=False)
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path))
    assert ANNOUNCEMENTS in disabled_extensions(lab_environment())


@pytest.fixture
def kit(tmp_path, monkeypatch):
    """A folder with a course of one page, which takes the place of the kit's."""
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "page.md").write_text("One.")
    monkeypatch.setattr("nlkit.commands.lab.kit_folder", lambda: tmp_path)
    return tmp_path


def test_options_go_to_jupyterlab_in_the_learner_s_folder_and_its_exit_code_comes_back(monkeypatch, kit, capsys):
    started = {}

    def run(command, env, check):
        started.update(command=command, env=env)
        return subprocess.CompletedProcess(command, 7)

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(SystemExit) as end:
        cli.main(["lab", "--no-browser", "--port", "9999"])
    assert end.value.code == 7 and not capsys.readouterr().out
    command = lab_command(("--no-browser", "--port", "9999"), kit / "my_course")
    assert started == {"command": command, "env": lab_environment()}
    assert (kit / "my_course" / "page.md").read_text() == "One."
    (kit / "my_course" / "page.md").write_text("Mine.")
    (kit / "notebooks" / "page.md").write_text("Two.")
    with pytest.raises(SystemExit):
        cli.main(["lab"])
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("page.md stays") and line.endswith("page.new.md")


def test_the_app_is_on_the_loopback_interface_without_code_and_takes_options(monkeypatch):
    started = []
    done = SimpleNamespace(returncode=3)
    monkeypatch.setattr(subprocess, "run", lambda command, **_options: started.append(command) or done)
    with pytest.raises(SystemExit) as end:
        cli.main(["app", "--no-browser", "--port", "9999"])
    assert end.value.code == 3 and started == [app_command(("--no-browser", "--port", "9999"))]
    (command,) = started
    assert command[:3] == [sys.executable, "-m", "voila"] and Path(command[3]).is_file()
    assert "--Voila.ip=127.0.0.1" in command and not [part for part in command if "strip_sources" in part]
    for_the_room = app_command(("--Voila.ip=0.0.0.0",))  # Voilà refuses two addresses
    assert [part for part in for_the_room if "Voila.ip" in part] == ["--Voila.ip=0.0.0.0"]


@pytest.mark.parametrize("options", [(), ("--Voila.ip=127.0.0.1",), ("--no-browser", "--Voila.ip=localhost")])
def test_the_app_says_nothing_of_cost_where_one_machine_can_open_it(options):
    assert cost_of_a_room(options) == ""


def test_the_app_says_what_a_room_costs_before_it_is_opened_to_one(monkeypatch, capsys):
    monkeypatch.setattr(subprocess, "run", lambda command, **_options: SimpleNamespace(returncode=0))
    with pytest.raises(SystemExit):
        cli.main(["app", "--Voila.ip=0.0.0.0"])
    (line,) = capsys.readouterr().out.splitlines()
    has = psutil.virtual_memory().total / 1e9
    assert "up to 0.6 GB: 30 tabs take 18 GB; this machine has" in line and f" {has:.0f} GB." in line
    monkeypatch.delattr(os, "sysconf")  # as on Windows
    assert cost_of_a_room(("--Voila.ip=0.0.0.0",)).endswith("30 tabs take 18 GB.")


def test_closing_jupyterlab_with_control_c_is_no_error(monkeypatch, kit):
    def run(*_arguments, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(SystemExit) as end:
        cli.main(["lab"])
    assert not end.value.code


@pytest.mark.parametrize("checkout", [True, False])
def test_a_course_that_is_not_there_is_looked_for_in_a_place_that_is_said(tmp_path, monkeypatch, capsys, checkout):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("nlkit.commands.lab.kit_folder", lambda: tmp_path if checkout else None)
    with pytest.raises(DataError, match="the course was not found: looked in .*notebooks.*in a checkout of the kit"):
        learners_folder()
    with pytest.raises(SystemExit) as end:
        cli.main(["lab"])
    assert end.value.code == 1
    assert capsys.readouterr().err.startswith(f"nlkit: the course was not found: looked in {tmp_path}")


def test_a_jupyterlab_that_is_not_installed_comes_with_the_command_that_adds_it(monkeypatch):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "jupyterlab" else find_spec(name))
    with pytest.raises(DataError, match=r"JupyterLab is not installed.*pip install 'nlkit\[lab\]'"):
        lab_command((), NOTEBOOKS)


def test_a_voila_that_is_not_installed_comes_with_the_command_that_adds_it(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"Voilà is not installed.*pip install 'nlkit\[lab\]'"):
        app_command()


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="this system has no root user")
def test_it_starts_for_root_too_as_in_a_container(monkeypatch, tmp_path):
    for user, wanted in ((0, True), (1000, False)):
        monkeypatch.setattr(os, "geteuid", lambda user=user: user)
        assert ("--allow-root" in lab_command((), tmp_path)) is wanted
