"""./scripts/quickstart and ./scripts/test: what they do with a .venv of any state, and with what fails.

Real scripts and a real .venv in a copy of the repository; pip, brushnet, ruff, mypy and pytest are stand-ins that note
how they were called, so that nothing is downloaded and nothing is trained.
"""

import json
import os
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
TOOLS = ("bash", "sh", "env", "dirname", "basename", "df", "sed", "rm", "mkdir")
BASE_PYTHON = getattr(sys, "_base_executable", sys.executable)

RECORDER = """
import json, os, sys
from pathlib import Path

def note(module):
    with open(os.environ["CALLS"], "a") as calls:
        calls.write(json.dumps([module, *sys.argv[1:]]) + "\\n")
    failing = json.loads(os.environ["FAILING"])
    sys.exit(failing[module]) if module in failing else None
"""
PIP = """
import recorder, sys, sysconfig
from pathlib import Path

if "--version" in sys.argv:
    sys.exit(not (Path(sys.prefix) / "has-pip").exists())
recorder.note("pip")
if "--editable" in sys.argv:
    site = Path(sysconfig.get_path("purelib"))
    for name in ("torch", "torch-2.15.0.dist-info"):
        (site / name).mkdir(exist_ok=True)
    (site / "torch" / "version.py").touch()
    (site / "torch-2.15.0.dist-info" / "RECORD").write_text("torch/version.py,,\\n")
"""
ENSUREPIP = """
import recorder, sys
from pathlib import Path

recorder.note("ensurepip")
(Path(sys.prefix) / "has-pip").touch()
"""
BRUSHNET = """
import recorder, sys
from pathlib import Path

recorder.note("brushnet")
if sys.argv[1] == "train":
    Path("runs/quickstart/checkpoints").mkdir(parents=True, exist_ok=True)
    Path("runs/quickstart/checkpoints/last.ckpt").touch()
"""
TRAIN = ["brushnet", "train", "experiment=quickstart", "hydra.run.dir=runs/quickstart"]
RESUME = ["brushnet", "train", "resume=runs/quickstart"]


@dataclass
class Repository:
    """A copy of what the scripts touch, and the only commands that they find."""

    root: Path
    commands: Path
    calls_file: Path
    fakes: Path

    def run(self, script: str, *arguments: str, failing: dict[str, int] | None = None, cwd: Path | None = None):
        self.calls_file.write_text("")
        keep = {name: value for name, value in os.environ.items() if name in ("HOME", "LANG", "LD_LIBRARY_PATH")}
        environment = {
            **keep,
            "PATH": str(self.commands),
            "PYTHONPATH": str(self.fakes),
            "CALLS": str(self.calls_file),
            "FAILING": json.dumps(failing or {}),
        }
        command = [str(self.root / script), *arguments]
        return subprocess.run(
            command, cwd=cwd or self.root, env=environment, capture_output=True, text=True, timeout=60
        )

    def calls(self, module: str = "") -> list[list[str]]:
        """What the last script has called, in order."""
        calls = [json.loads(line) for line in self.calls_file.read_text().splitlines()]
        return [call for call in calls if module in ("", call[0])]

    def installed_extra(self) -> str | None:
        """The brackets of what pip has installed; None where pip was left alone."""
        targets = [call[call.index("--editable") + 1] for call in self.calls("pip") if "--editable" in call]
        return targets[0].removeprefix(str(self.root)) if targets else None

    def change(self, name: str) -> None:
        path = self.root / name
        path.write_text(path.read_text() + "# more\n")

    def command(self, name: str, text: str) -> None:
        path = self.commands / name
        path.unlink(missing_ok=True)  # a link to the machine's own, which must not be written through
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def python(self, name: str, *, first: str) -> None:
        """A Python in which `first` has been executed."""
        self.command(name, f"""exec "{BASE_PYTHON}" -c '{first}; import sys; exec(sys.argv[1])' "$2" """)

    @property
    def venv(self) -> Path:
        return self.root / ".venv"

    @property
    def site(self) -> Path:
        return next(self.venv.glob("lib/python*/site-packages"))


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    root, commands, fakes = (tmp_path / name for name in ("my repository", "commands", "fakes"))
    shutil.copytree(ROOT / "scripts", root / "scripts")
    shutil.copytree(ROOT / ".ci", root / ".ci")
    shutil.copy(ROOT / "pyproject.toml", root)
    commands.mkdir()
    for name in TOOLS:
        (commands / name).symlink_to(shutil.which(name) or name)
    (commands / "python3").symlink_to(BASE_PYTHON)
    sources = {"pip": PIP, "ensurepip": ENSUREPIP, "brushnet": BRUSHNET}
    for name in ("ruff", "mypy", "pytest"):
        sources[name] = f"import recorder, sys; print('output of {name}', flush=True); recorder.note('{name}')"
    for name, source in sources.items():
        (fakes / name).mkdir(parents=True)
        (fakes / name / "__init__.py").touch()
        (fakes / name / "__main__.py").write_text(source)
    (fakes / "recorder.py").write_text(RECORDER)
    return Repository(root, commands, tmp_path / "calls", fakes)


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    return lines[0]


def test_a_python_that_is_too_old_is_refused_in_one_line(repository):
    repository.python("python3", first="import sys; sys.version_info = (3, 9, 2)")
    done = repository.run("scripts/quickstart")
    assert done.returncode == 1
    assert one_line(done) == "quickstart: Python 3.11 or newer is needed: python3 is 3.9.2"
    assert not repository.venv.exists()


def test_a_missing_python_is_named(repository):
    (repository.commands / "python3").unlink()
    done = repository.run("scripts/test")
    assert done.returncode == 1
    assert one_line(done) == "test: Python 3.11 or newer is needed: there is no python3 on PATH"


def test_a_python_without_its_venv_module_is_refused_with_the_way_out(repository):
    repository.python("python3", first='import sys; sys.modules["ensurepip"] = None')
    done = repository.run("scripts/quickstart")
    assert done.returncode == 1
    assert "lacks its venv module (on Debian and Ubuntu: apt install python3-venv)" in one_line(done)


def test_a_newer_python_beside_an_old_one_is_taken(repository):
    (repository.commands / "python3.12").symlink_to(BASE_PYTHON)
    repository.python("python3", first="import sys; sys.version_info = (3, 9, 2)")
    assert repository.run("scripts/quickstart").returncode == 0
    assert (repository.venv / "bin" / "python").exists()


def test_a_python_that_torch_knows_is_taken_before_a_newer_one(repository):
    repository.command("python3.14", f'echo chosen >> "{repository.root}/chosen"; exec "{BASE_PYTHON}" "$@"')
    repository.python("python3", first="import sys; sys.version_info = (3, 15, 1)")
    done = repository.run("scripts/quickstart")
    assert done.returncode == 0
    assert (repository.root / "chosen").exists()
    assert "3.15.1" not in done.stderr


def test_where_there_is_only_a_newer_python_it_is_taken_and_told(repository):
    repository.python("python3", first="import sys; sys.version_info = (3, 15, 1)")
    done = repository.run("scripts/quickstart")
    assert done.returncode == 0
    said = "quickstart: taking Python 3.15.1, as 3.11 to 3.14 are not there; torch may have no wheels for it yet"
    assert said in done.stderr.splitlines()


def test_a_full_disk_is_refused_in_one_line(repository):
    table = (
        "Filesystem 1024-blocks Used Available Capacity Mounted\n/dev/my disk 9000000 5000000 4000000 56% /mnt/my disk"
    )
    repository.command("df", f"echo '{table}'")
    done = repository.run("scripts/quickstart")
    assert done.returncode == 1
    assert one_line(done).endswith(f" GB of disk, {repository.root} has 4 GB left")
    assert not repository.venv.exists()


def test_little_disk_is_no_obstacle_once_torch_is_installed(repository):
    repository.run("scripts/quickstart")
    repository.command("df", "echo; echo '/dev/disk 9 9 0 100% /'")
    repository.change("pyproject.toml")
    assert repository.run("scripts/quickstart").returncode == 0
    assert repository.installed_extra() == ""


def test_quickstart_installs_trains_and_stylizes_from_any_folder(repository, tmp_path):
    elsewhere = tmp_path / "else where"
    elsewhere.mkdir()
    done = repository.run("scripts/quickstart", cwd=elsewhere)
    assert done.returncode == 0, done.stderr
    assert repository.installed_extra() == ""
    train, stylize = repository.calls("brushnet")
    assert train == TRAIN
    assert stylize[1:3] == ["stylize", "runs/quickstart"]
    assert stylize[-5:] == ["-o", "runs/quickstart/pictures", "--strokes", "0.5,1,2", "--force"]
    assert f"{repository.root}/runs/quickstart/pictures/sheet.jpg" in done.stderr
    assert f"{repository.root}/runs/quickstart/model.safetensors" in done.stderr
    assert not list(elsewhere.iterdir())


def test_pip_is_held_to_the_constraints_when_installing_and_when_building(repository):
    repository.run("scripts/quickstart")
    constraints = str(repository.root / "scripts" / "constraints.txt")
    for call in repository.calls("pip"):
        assert call[call.index("-c") + 1] == constraints
    assert f"--build-constraint {constraints}" in " ".join(repository.calls("pip")[-1])


def test_a_second_quickstart_installs_nothing_and_continues_the_run(repository):
    repository.run("scripts/quickstart")
    done = repository.run("scripts/quickstart")
    assert done.returncode == 0
    assert [call[:3] for call in repository.calls()] == [RESUME, ["brushnet", "stylize", "runs/quickstart"]]
    assert "runs/quickstart is there already" in done.stderr


def test_a_run_that_has_saved_nothing_yet_begins_again(repository):
    run = repository.root / "runs" / "quickstart"
    run.mkdir(parents=True)
    (run / "config.yaml").touch()
    done = repository.run("scripts/quickstart")
    assert repository.calls("brushnet")[0] == TRAIN
    assert "beginning again" in done.stderr
    assert not (run / "config.yaml").exists()


def test_a_stopped_training_ends_quickstart_with_its_exit_code(repository):
    done = repository.run("scripts/quickstart", failing={"brushnet": 3})
    assert done.returncode == 3
    assert repository.calls("brushnet") == [TRAIN]


def test_quickstart_refuses_arguments(repository):
    done = repository.run("scripts/quickstart", "trainer.max_steps=9")
    assert done.returncode == 2
    assert "takes no arguments, got trainer.max_steps=9" in one_line(done)


def test_a_failed_installation_gives_pips_exit_code_and_is_tried_again(repository):
    done = repository.run("scripts/quickstart", failing={"pip": 7})
    assert done.returncode == 7
    assert "pip could not install what is needed" in done.stderr
    assert not repository.calls("brushnet")
    assert repository.run("scripts/quickstart").returncode == 0
    assert repository.installed_extra() == ""


@pytest.mark.parametrize("name", ["pyproject.toml", "scripts/constraints.txt"])
def test_what_is_wanted_is_installed_again_when_it_changes(repository, name):
    repository.run("scripts/quickstart")
    repository.change(name)
    repository.run("scripts/quickstart")
    assert repository.installed_extra() == ""


def bare(repository: Repository) -> None:
    (repository.venv / "has-pip").unlink()
    (repository.venv / "brushnet.json").unlink()


def cut_off(repository: Repository) -> None:
    (repository.venv / "brushnet.json").write_text('{"root": ')


def without_record(repository: Repository) -> None:
    (repository.site / "torch-2.15.0.dist-info" / "RECORD").unlink()


def without_a_file(repository: Repository) -> None:
    (repository.site / "torch" / "version.py").unlink()


def without_a_package(repository: Repository) -> None:
    shutil.rmtree(repository.site / "torch-2.15.0.dist-info")


def without_interpreter(repository: Repository) -> None:
    for path in (repository.venv / "bin").glob("python*"):
        path.unlink()
    (repository.venv / "bin" / "python").symlink_to("/nowhere/python3")


def of_another_python(repository: Repository) -> None:
    repository.site.parent.rename(repository.site.parents[1] / "python3.1")


def empty(repository: Repository) -> None:
    shutil.rmtree(repository.venv)
    repository.venv.mkdir()


def moved(repository: Repository) -> None:
    repository.root = repository.root.rename(repository.root.with_name("moved repository"))


MENDED = [bare, cut_off, without_record, without_a_file, without_a_package]
REMADE = [without_interpreter, of_another_python, empty, moved]


@pytest.mark.parametrize("damage", [*MENDED, *REMADE])
def test_a_damaged_environment_is_mended_or_made_anew(repository, damage):
    repository.run("scripts/quickstart")
    (repository.venv / "kept").touch()
    damage(repository)
    done = repository.run("scripts/quickstart")
    assert done.returncode == 0, done.stderr
    assert repository.installed_extra() == ""
    assert (repository.site / "torch-2.15.0.dist-info" / "RECORD").exists()
    assert (repository.venv / "kept").exists() == (damage in MENDED)
    assert ("making .venv anew" in done.stderr) == (damage in REMADE)


def test_what_only_looks_installed_is_taken_off_pips_books(repository):
    repository.run("scripts/quickstart")
    without_a_file(repository)
    repository.run("scripts/quickstart", failing={"pip": 1})
    assert not (repository.site / "torch-2.15.0.dist-info").exists()


def test_the_environment_of_the_tests_serves_quickstart_too_but_not_the_reverse(repository):
    repository.run("scripts/quickstart")
    repository.run("scripts/test")
    assert repository.installed_extra() == "[test]"
    repository.run("scripts/quickstart")
    assert repository.installed_extra() is None
    repository.run("scripts/test")
    assert repository.installed_extra() is None


@pytest.mark.parametrize("script", ["scripts/test", ".ci/run"])
def test_every_check_runs_and_the_last_line_is_that_of_pytest(repository, script, tmp_path):
    done = repository.run(script, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    checks = [" ".join(call) for call in repository.calls() if call[0] in ("ruff", "mypy", "pytest")]
    assert checks == ["ruff check", "ruff format --check", "mypy", "pytest -n 2 --dist=worksteal"]
    assert done.stdout.splitlines()[-1] == "output of pytest"


@pytest.mark.parametrize(("failing", "said"), [("ruff", "ruff check, ruff format --check"), ("mypy", "mypy")])
def test_a_failed_check_does_not_keep_the_tests_from_running(repository, failing, said):
    done = repository.run("scripts/test", failing={failing: 2})
    assert done.returncode == 2
    assert f"test: FAILED: {said}" in done.stderr.splitlines()
    assert len(repository.calls("pytest")) == 1
    assert done.stdout.splitlines()[-1] == "output of pytest"


def test_failing_tests_fail(repository):
    assert repository.run("scripts/test", failing={"pytest": 1}).returncode == 1


def test_pytest_gets_the_arguments_and_slow_tests_when_asked(repository):
    repository.run("scripts/test", "tests/test_seeds.py", "--slow", "-k", "two words")
    given = ["tests/test_seeds.py", "-m", "", "-k", "two words"]
    assert repository.calls("pytest") == [["pytest", "-n", "2", "--dist=worksteal", *given]]


def test_every_requirement_is_pinned_within_its_range():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"].values()
    wanted = [*project["project"]["dependencies"], *(each for extra in extras for each in extra)]
    requirements = [Requirement(text) for text in [*wanted, *project["build-system"]["requires"]]]
    lines = (ROOT / "scripts" / "constraints.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    for requirement in requirements:
        if requirement.name != "brushnet":
            assert pins[requirement.name] in requirement.specifier, requirement
