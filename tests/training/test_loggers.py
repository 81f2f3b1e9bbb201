import importlib.util
import json
import os
import struct
import time

import pytest
import torch

from brushnet import images
from brushnet.errors import UserError
from brushnet.training import loggers
from brushnet.training.metrics_csv import MetricsCsv
from brushnet.training.module import StyleTraining


@pytest.mark.parametrize("kind", ["wandb", "tensorboard"])
def test_a_logger_whose_package_is_missing_names_its_extra(kind, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        UserError, match=rf"logger\.kind={kind} needs the package {kind}: pip install 'brushnet\[{kind}\]'"
    ):
        loggers.check_logger(kind)


def test_the_csv_logger_needs_no_package(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    loggers.check_logger("csv")


def test_a_login_is_found_in_the_environment_and_in_a_netrc_file(monkeypatch, tmp_path):
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert not loggers._wandb_login()
    (tmp_path / "netrc").write_text("machine api.wandb.ai login user password secret\n")
    assert loggers._wandb_login()
    (tmp_path / "netrc").write_text("machine example.org login user password secret\n")
    assert not loggers._wandb_login()
    monkeypatch.setenv("WANDB_API_KEY", "secret")
    assert loggers._wandb_login()


def test_a_login_without_a_network_ends_offline(monkeypatch, tmp_path, caplog):
    import wandb

    monkeypatch.setenv("WANDB_API_KEY", "x" * 40)
    monkeypatch.setenv("WANDB_MODE", "online")
    original = wandb.init

    def unreachable(*args, **kwargs):
        if kwargs.get("mode") != "offline" and os.environ["WANDB_MODE"] != "offline":
            raise wandb.errors.CommError("no route")
        return original(*args, **kwargs)

    monkeypatch.setattr(wandb, "init", unreachable)
    [logger] = loggers.open_loggers("wandb", tmp_path, project="p", name="n", from_step=None)
    assert "wandb cannot be reached, logging offline: no route" in caplog.text
    assert logger.inner.experiment.settings.mode == "offline"
    wandb.finish()


@pytest.fixture
def offline(monkeypatch):
    import wandb

    monkeypatch.setenv("WANDB_MODE", "offline")
    yield wandb
    wandb.finish()


def events(run):
    """{tag: [steps]} as TensorBoard shows them."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(run / "tensorboard"), size_guidance={"scalars": 0, "images": 0})
    found.Reload()
    tags = found.Tags()
    steps = {tag: [event.step for event in found.Scalars(tag)] for tag in tags["scalars"]}
    return steps | {tag: [event.step for event in found.Images(tag)] for tag in tags["images"]}


def kill_at(monkeypatch, step):
    """An end without warning, after the rows of a step that no checkpoint holds."""
    original = StyleTraining.on_train_batch_start

    def end(self, *args):
        if self.global_step == step:
            raise SystemError("killed")
        return original(self, *args)

    monkeypatch.setattr(StyleTraining, "on_train_batch_start", end)


def test_tensorboard_shows_each_step_of_a_resumed_run_once(train, monkeypatch, tmp_path):
    run, checkpoint = tmp_path / "run", tmp_path / "run" / "checkpoints" / "last.ckpt"
    with monkeypatch.context() as patched:
        kill_at(patched, 7)
        with pytest.raises(SystemError):
            train("logger.kind=tensorboard")
    assert events(run)["train/loss"] == list(range(1, 8))
    train("logger.kind=tensorboard", resume_from=checkpoint)
    found = events(run)
    assert found["train/loss"] == list(range(1, 13))
    assert found["val/loss"] == found["samples"] == [6, 12]


def wandb_rows(run):
    """(id, [steps]) of each part that wandb keeps in a run's folder, oldest first."""
    parts = []
    for file, found in wandb_records(run):
        steps = [record.history.step.num for record in found if record.WhichOneof("record_type") == "history"]
        parts.append((file.stem.removeprefix("run-"), steps))
    return parts


def wandb_records(run):
    """(file, records) of each part, after its end was written."""
    from wandb.proto import wandb_internal_pb2

    for file in sorted(run.glob("wandb/offline-run-*/*.wandb"), key=lambda file: file.stat().st_mtime):
        for _ in range(300):  # wandb's own process writes, a little later
            found = [wandb_internal_pb2.Record.FromString(record) for record in leveldb_records(file.read_bytes())]
            if any(record.WhichOneof("record_type") == "exit" for record in found):
                break
            time.sleep(0.1)
        yield file, found


def leveldb_records(data):
    """wandb's files: 7 bytes of its own, then LevelDB's log: blocks of 32 KiB of (crc, length, place in the record)."""
    at, record = 7, b""
    while at + 7 <= len(data):
        length, place = struct.unpack("<HB", data[at + 4 : at + 7])
        if place == 0:  # the rest of a block, too short for another header
            at = (at // 32768 + 1) * 32768
            continue
        record += data[at + 7 : at + 7 + length]
        at += 7 + length
        at += 32768 - at % 32768 if 32768 - at % 32768 < 7 else 0
        if place in (1, 4):  # whole, or the last piece
            yield record
            record = b""


def test_wandb_continues_the_same_run_where_the_checkpoint_was(train, monkeypatch, tmp_path, offline):
    with monkeypatch.context() as patched:
        kill_at(patched, 7)
        with pytest.raises(SystemError):
            train("logger.kind=wandb")
    saved = (tmp_path / "run" / "wandb" / "run_id.txt").read_text()
    time.sleep(1.1)  # wandb names its folders by the second
    train("logger.kind=wandb", resume_from=tmp_path / "run" / "checkpoints" / "last.ckpt")
    (first, before), (second, after) = wandb_rows(tmp_path / "run")
    assert first == second == saved
    assert before == list(range(1, 8))
    assert after == list(range(5, 13))  # of step 4 is the checkpoint: what both have is told the same


@pytest.fixture
def evaluated(tmp_path):
    for name in ("control.png", "sheet.jpg"):
        images.write(torch.rand(1, 3, 8, 8), tmp_path / name)
    rows = [{"photo": "cat", "stroke": 0.5, "style_loss": 1.5, "matched_octaves": None}]
    pictures = {"control": tmp_path / "control.png", "sheet": tmp_path / "sheet.jpg"}
    return loggers.Evaluated({"slope": 0.9}, rows, pictures)


def test_tensorboard_shows_what_a_run_is_judged_by(tmp_path, evaluated):
    [logger] = loggers.open_loggers("tensorboard", tmp_path / "run", project="p", name="n", from_step=7)
    logger.log_evaluation(evaluated, step=7)
    logger.close()
    found = events(tmp_path / "run")
    assert found["evaluation/slope"] == found["evaluation/control"] == found["evaluation/sheet"] == [7]
    assert loggers._markdown(evaluated.rows).splitlines() == [
        "| photo | stroke | style_loss | matched_octaves |", "| --- | --- | --- | --- |", "| cat | 0.5 | 1.5 | None |"
    ]  # fmt: skip


def test_wandb_has_group_configuration_figures_table_and_pictures(tmp_path, evaluated, offline):
    made = {"project": "p", "name": "n", "group": "a sweep", "config": {"net": {"width": 8}}}
    [logger] = loggers.open_loggers("wandb", tmp_path / "run", **made, from_step=None)
    run = logger.inner.experiment
    assert (run.group, run.config["net"]["width"]) == ("a sweep", 8)
    logger.log_metrics({"train/loss": 1.0}, step=7)
    logger.log_evaluation(evaluated, step=7)
    logger.close()
    assert not logger.failed
    [(_, records)] = wandb_records(tmp_path / "run")
    items = [
        item for record in records if record.WhichOneof("record_type") == "history" for item in record.history.item
    ]
    told = {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in items}
    assert told["evaluation/slope"] == 0.9
    assert told["evaluation/rows/ncols"] == 4
    assert told["evaluation/control/format"] == "png"
    assert told["evaluation/sheet/_type"] == "image-file"
    assert wandb_rows(tmp_path / "run")[0][1] == [7, 8]


@pytest.mark.parametrize("content", [b"../../etc", b"a" * 65, b"\xff\xfe", b""])
def test_an_id_that_is_none_of_wandb_is_not_used(tmp_path, caplog, content):
    path = tmp_path / "run_id.txt"
    path.write_bytes(content)
    assert loggers._saved_id(path) is None
    assert "run_id.txt holds no id of wandb; another run is begun there" in caplog.text


@pytest.mark.slow
def test_a_run_may_change_its_logger_when_it_is_resumed(train, tmp_path, offline):
    train("trainer.max_steps=3")
    train("logger.kind=wandb", "trainer.max_steps=6", resume_from=tmp_path / "run" / "checkpoints" / "last.ckpt")
    [(_, steps)] = wandb_rows(tmp_path / "run")
    assert steps == [4, 5, 6]
    rows = MetricsCsv(tmp_path / "run" / "metrics.csv").rows()
    assert [row["step"] for row in rows if row["train/loss"]] == ["1", "2", "3", "4", "5", "6"]


def test_a_logger_that_fails_is_said_once_and_does_not_end_the_training(train, monkeypatch, tmp_path, caplog):
    from pytorch_lightning.loggers import TensorBoardLogger

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(TensorBoardLogger, "log_metrics", full)
    train("logger.kind=tensorboard")
    message = "logger.kind=tensorboard failed and is left out from now on; metrics.csv goes on: [Errno 28] No space"
    assert caplog.text.count(message) == 1
    rows = MetricsCsv(tmp_path / "run" / "metrics.csv").rows()
    assert [row["step"] for row in rows if row["train/loss"]] == [str(step) for step in range(1, 13)]
