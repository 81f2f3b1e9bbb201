"""`brushnet report`: what it writes for a sweep, for one run and for damaged ones, and what it refuses."""

import csv
import json
import os
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest

from brushnet import build, cli
from brushnet.errors import BrushnetError
from tests.report.conftest import (  # noqa: F401
    SweepFiles,
    evaluation_of,
    model_bytes,
    sweep_files,
    whole_sweep,
    write_picture,
)
from tests.test_cli import HEAVY, brushnet


class Page(HTMLParser):
    """Text without scripts and styles, and what is linked to."""

    def __init__(self, path: Path):
        super().__init__()
        self.links: list[str] = []
        self.text, self.skipped = "", 0
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, name, attributes) -> None:
        self.skipped += name in ("script", "style")
        found = dict(attributes)
        self.links += [found[key] for key in ("src", "href") if found.get(key)]

    def handle_endtag(self, name) -> None:
        self.skipped -= name in ("script", "style")

    def handle_data(self, data) -> None:
        self.text += "" if self.skipped else f"{data} "


def report(*arguments: str | Path) -> int:
    return cli.main(["report", *map(str, arguments), "--no-baselines"])


def rows_of(folder: Path) -> dict[str, dict[str, str]]:
    with (folder / "report" / "runs.csv").open(newline="", encoding="utf-8") as file:
        return {row["name"]: row for row in csv.DictReader(file)}


def test_a_sweep_becomes_a_page_a_table_and_plots(whole_sweep, capsys) -> None:  # noqa: F811
    assert report(whole_sweep) == 0
    said = capsys.readouterr()
    out = whole_sweep / "report"
    assert said.out == ""
    assert f"written: {out / 'index.html'}" in said.err
    assert "left out: three_octaves-shallow-waves-seed9: failed (out of memory: needs 9 GB)" in said.err
    for name in ("control.png", "heat.png", "training.png"):
        assert (out / name).read_bytes().startswith(b"\x89PNG")
    page = Page(out / "index.html")
    assert "three_octaves · deep has the least control error" in page.text
    assert "13 runs: 12 finished, 1 failed." in page.text
    assert "three_octaves-shallow-waves-seed9: failed (out of memory: needs 9 GB)." in page.text
    assert "brushnet train -m sweep=scale_x_layers" in page.text
    for link in page.links:
        assert link.startswith("#") or (out / link).is_file()


def test_the_csv_holds_every_run_and_every_figure(whole_sweep) -> None:  # noqa: F811
    assert report(whole_sweep) == 0
    rows = rows_of(whole_sweep)
    assert len(rows) == 13
    best = rows["three_octaves-deep-waves-seed0"]
    assert (best["state"], best["stroke"], best["layers"], best["seed"]) == ("finished", "three_octaves", "deep", "0")
    assert float(best["control_error"]) == pytest.approx(0.35)
    assert (float(best["style@0.5"]), float(best["style@1"])) == (1.3, 1.05)
    assert (best["steps"], best["seconds"], best["summary/slope"]) == ("400", "75.5", "0.65")
    failed = rows["three_octaves-shallow-waves-seed9"]
    assert (failed["state"], failed["cause"], failed["style"]) == ("failed", "out of memory: needs 9 GB", "")


def test_json_tells_the_figures_to_other_programs(whole_sweep, capsys) -> None:  # noqa: F811
    assert report(whole_sweep, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["axes"]["stroke"] == ["fixed", "one_octave", "three_octaves"]
    assert [run["state"] for run in found["runs"]].count("finished") == 12
    assert [run["control_error"] for run in found["runs"] if run["state"] == "failed"] == [None]
    assert any(run["pareto_front"] for run in found["runs"])


def test_a_second_report_replaces_the_first_and_nothing_else(whole_sweep) -> None:  # noqa: F811
    def others() -> dict[Path, bytes]:
        files = (path for path in whole_sweep.rglob("*") if path.is_file())
        return {path: path.read_bytes() for path in files if "report" not in path.relative_to(whole_sweep).parts}

    before = others()
    assert report(whole_sweep) == 0
    first = (whole_sweep / "report" / "index.html").read_bytes()
    (whole_sweep / "report" / "mine.txt").write_text("kept")
    shutil.rmtree(whole_sweep / "report" / "pictures")
    assert report(whole_sweep) == 0
    assert (whole_sweep / "report" / "index.html").read_bytes() == first
    assert (whole_sweep / "report" / "pictures").is_dir()
    assert (whole_sweep / "report" / "mine.txt").read_text() == "kept"
    assert others() == before


def test_one_run_says_what_its_curve_does(sweep_files) -> None:  # noqa: F811
    run = sweep_files.make("three_octaves", "deep", 0)
    (run / "job.json").unlink()  # a plain run has none
    assert report(run) == 0
    page = Page(run / "report" / "index.html")
    assert "one octave more makes measured strokes 0.65 octave larger, less than they should" in page.text
    assert "brushnet train stroke=fixed" in page.text  # its model's command
    assert "Which axis matters" not in page.text
    assert not (run / "report" / "heat.png").exists()


def test_runs_without_a_sweep_file_are_told_apart_by_their_options(sweep_files) -> None:  # noqa: F811
    for stroke in ("fixed", "three_octaves"):
        sweep_files.make(stroke, "shallow", 0)
    assert report(sweep_files.folder) == 0
    assert {row["stroke"] for row in rows_of(sweep_files.folder).values()} == {"fixed 1.0", "conditioned 0.35-2.8"}


def test_a_damaged_sweep_file_costs_only_names(whole_sweep, caplog) -> None:  # noqa: F811
    (whole_sweep / "sweep.json").write_text("{")
    assert report(whole_sweep) == 0
    assert "reported as a folder of runs" in caplog.text
    assert len(rows_of(whole_sweep)) == 13


def spoil(run: Path, how: str) -> None:
    match how:
        case "config.yaml":
            (run / how).write_text("net: [")
        case "no config.yaml":
            (run / "config.yaml").unlink()
        case "model.safetensors" | "job.json" | "evaluation/evaluation.json":
            (run / how).write_bytes(b"{half")
        case "no model.safetensors":
            (run / "model.safetensors").unlink()
        case "running":
            (run / "job.json").write_text('{"state": "running", "cause": "", "attempts": 1, "seconds": 1}')
        case "picture elsewhere":
            path = run / "evaluation" / "evaluation.json"
            path.write_text(path.read_text().replace('"cat_s0.50.jpg"', '"../../secret.jpg"'))


@pytest.mark.parametrize(
    ("how", "state", "cause"),
    [
        ("config.yaml", "damaged", "not a saved configuration"),
        ("no config.yaml", "damaged", "it has no config.yaml"),
        ("model.safetensors", "damaged", "model.safetensors: damaged, cut off or not a model"),
        ("job.json", "damaged", "job.json is damaged"),
        ("evaluation/evaluation.json", "damaged", "evaluation/evaluation.json: not valid JSON"),
        ("no model.safetensors", "damaged", "it is said to be finished, but has no model.safetensors"),
        ("running", "unfinished", "killed: its process is gone"),
        ("picture elsewhere", "damaged", "picture must be a file's name without folder"),
    ],
)
def test_a_damaged_run_is_listed_with_its_cause(sweep_files, capsys, how, state, cause) -> None:  # noqa: F811
    for seed in (0, 1):
        run = sweep_files.make("three_octaves", "deep", seed)
    spoil(run, how)
    sweep_files.record()
    assert report(sweep_files.folder) == 0
    row = rows_of(sweep_files.folder)[run.name]
    assert row["state"] == state
    assert cause in row["cause"]
    assert f"left out: {run.name}: {state} (" in capsys.readouterr().err
    assert cause in " ".join(Page(sweep_files.folder / "report" / "index.html").text.split())


def test_a_job_that_was_never_started_is_one_too(whole_sweep) -> None:  # noqa: F811
    shutil.rmtree(whole_sweep / "fixed-deep-waves-seed1")
    assert report(whole_sweep) == 0
    assert rows_of(whole_sweep)["fixed-deep-waves-seed1"]["state"] == "not started"


def test_texts_of_strangers_stay_texts(sweep_files) -> None:  # noqa: F811
    evil = "</script><img src=x onerror=alert(1)>"
    for seed in (0, 1):
        run = sweep_files.make("three_octaves", "deep", seed)
        path = run / "evaluation" / "evaluation.json"
        found = json.loads(path.read_text())
        path.write_text(json.dumps({**found, "painting": evil}))
    sweep_files.outcome(run, "failed", evil)
    sweep_files.record()
    assert report(sweep_files.folder) == 0
    html = (sweep_files.folder / "report" / "index.html").read_text()
    assert "<img src=x" not in html
    assert html.count("</script>") == 2
    assert "default-src &#x27;none&#x27;; img-src &#x27;self&#x27; file:" in html


def test_runs_that_were_not_evaluated_are_now(sweep_files, monkeypatch, capsys) -> None:  # noqa: F811
    first, second = (sweep_files.make("three_octaves", "deep", seed) for seed in (0, 1))
    for run in (first, second):
        (run / "evaluation" / "evaluation.json").unlink()

    def evaluate_run(cfg, run_dir, *, progress) -> None:
        progress(1, 2)
        if run_dir == second:
            raise BrushnetError("the painting is gone")
        found = evaluation_of("three_octaves", "deep", cfg.seed, "waves")
        (run_dir / "evaluation" / "evaluation.json").write_text(json.dumps(found))

    monkeypatch.setattr(build, "evaluate_run", evaluate_run, raising=False)
    assert report(sweep_files.folder) == 0
    assert f"left out: {second.name}: finished (cannot be evaluated: the painting is gone)" in capsys.readouterr().err
    assert rows_of(sweep_files.folder)[first.name]["control_error"] == "0.35"


def refused(folder: Path, capsys) -> str:
    assert report(folder) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    return said


def test_what_is_no_run_is_refused_in_one_line(tmp_path, capsys) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    assert "DIR must be the folder of a run or of a sweep, got" in refused(tmp_path / "absent", capsys)
    assert re.search(r"got .*absent, which does not exist", refused(tmp_path / "absent", capsys))
    assert re.search(r"got .*file, which is a file", refused(tmp_path / "file", capsys))
    assert re.search(r"got .*empty, which holds no run", refused(tmp_path / "empty", capsys))


def test_a_sweep_of_which_nothing_finished_is_refused(sweep_files, capsys) -> None:  # noqa: F811
    sweep_files.outcome(sweep_files.folder / "a", "failed", "no GPU")
    (sweep_files.folder / "a" / "config.yaml").write_text("{}")
    assert "no run in it has finished; 1 run: 1 failed.; a: failed (no GPU)." in refused(sweep_files.folder, capsys)
    assert not (sweep_files.folder / "report").exists()


def test_a_sweep_of_which_nothing_could_be_measured_is_refused(sweep_files, capsys) -> None:  # noqa: F811
    run = sweep_files.make("fixed", "deep", 0)
    spoil(run, "evaluation/evaluation.json")
    assert "no run in it could be measured; 1 run: 1 damaged." in refused(sweep_files.folder, capsys)
    assert not (sweep_files.folder / "report").exists()


def test_a_folder_that_is_no_report_is_not_overwritten(whole_sweep, capsys, tmp_path) -> None:  # noqa: F811
    out = whole_sweep / "report"
    out.mkdir()
    (out / "thesis.tex").write_text("")
    assert "report holds something else than a report (thesis.tex); move it away" in refused(whole_sweep, capsys)
    shutil.rmtree(out)
    out.write_text("")
    assert "report is a file; move it away" in refused(whole_sweep, capsys)
    out.unlink()
    out.symlink_to(tmp_path)
    assert "report is a link; a report is written into its own folder alone" in refused(whole_sweep, capsys)
    out.unlink()
    out.mkdir()
    (out / "pictures").symlink_to(tmp_path)
    assert "pictures is a link" in refused(whole_sweep, capsys)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_said(whole_sweep, capsys) -> None:  # noqa: F811
    whole_sweep.chmod(0o555)
    try:
        assert report(whole_sweep) == 1
    finally:
        whole_sweep.chmod(0o755)
    assert "cannot write" in capsys.readouterr().err


def test_a_disk_that_fails_is_said(whole_sweep, capsys, monkeypatch) -> None:  # noqa: F811
    def fails(*arguments, **options) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("brushnet.report.write.write_whole", fails)
    assert report(whole_sweep) == 1
    assert re.search(r"cannot write .*report: No space left on device", capsys.readouterr().err)


@pytest.mark.parametrize("arguments", [["--help"], ["absent"]])
def test_help_and_refusals_come_without_torch(tmp_path, arguments) -> None:
    code = (
        "import atexit; from brushnet.cli import main; "
        f"atexit.register(lambda: print('HEAVY', [each for each in {HEAVY} if each in sys.modules])); sys.exit(main())"
    )
    assert "HEAVY []" in brushnet("report", *arguments, cwd=tmp_path, code=code).stdout


def test_classic_methods_are_painted_once_and_kept(sweep_files, monkeypatch, caplog) -> None:  # noqa: F811
    from brushnet.commands import report_baselines

    calls = []

    def judge_classics(scene, out, *, progress) -> None:
        calls.append(scene.photo_name)
        rows = [{"system": name, "photo": scene.photo_name, "stroke": 1.0, "style_loss": loss, "picture": "a.jpg",
                 "seconds": 9.0} for name, loss in (("moments", 2.0), ("features", 0.5))]  # fmt: skip
        found = evaluation_of("three_octaves", "deep", 0, "waves")
        out.mkdir(parents=True)
        (out / "evaluation.json").write_text(json.dumps({**found, "stroke_mode": "classic", "rows": rows}))
        write_picture(out / "a.jpg", 1)

    monkeypatch.setattr(report_baselines, "judge_classics", judge_classics)
    monkeypatch.setattr(report_baselines, "open_meters", lambda *arguments: [])
    for stroke in ("fixed", "three_octaves"):
        sweep_files.make(stroke, "deep", 0)
    for _ in range(2):
        assert cli.main(["report", str(sweep_files.folder)]) == 0
    assert calls == ["cat"]
    page = Page(sweep_files.folder / "report" / "index.html")
    assert "waves on cat: at s = 1 style loss is 1.05 for" in page.text
    assert "2.00 for moments in 9 s a picture" in page.text
    assert any(link.endswith("a.jpg") for link in page.links)
    monkeypatch.setattr(report_baselines, "judge_classics", lambda *arguments, **options: 1 / 0)
    assert report(sweep_files.folder) == 0  # without them
    assert "moments" not in Page(sweep_files.folder / "report" / "index.html").text


def test_classic_methods_that_cannot_be_painted_are_left_out_with_a_word(sweep_files, caplog) -> None:  # noqa: F811
    run = sweep_files.make("three_octaves", "deep", 0)
    (run / "evaluation" / "cat.jpg").unlink()
    (run / "evaluation" / "boat.jpg").unlink()
    assert cli.main(["report", str(run)]) == 0
    assert re.search(r"waves: the classic methods are left out: .*evaluation holds none of its photos", caplog.text)
