from brushnet.training.metrics_csv import MetricsCsv


def test_rows_are_kept_when_new_metrics_come(tmp_path):
    log = MetricsCsv(tmp_path / "metrics.csv")
    log.log_metrics({"loss": 2.0, "epoch": 0}, step=1)
    log.log_metrics({"val": 3.0}, step=1)
    log.log_metrics({"loss": 1.5}, step=2)
    assert log.rows() == [
        {"step": "1", "loss": "2.0", "val": ""},
        {"step": "1", "loss": "", "val": "3.0"},
        {"step": "2", "loss": "1.5", "val": ""},
    ]


def test_a_resumed_run_has_no_row_twice(tmp_path):
    path = tmp_path / "metrics.csv"
    for step in range(6):
        MetricsCsv(path).log_metrics({"loss": float(step)}, step=step)
    resumed = MetricsCsv(path)
    resumed.cut_after(3, rows=None)
    for step in range(4, 8):
        resumed.log_metrics({"loss": float(step)}, step=step)
    assert [row["step"] for row in resumed.rows()] == [str(step) for step in range(8)]
    assert resumed.written == MetricsCsv(path).written == 8


def test_of_several_rows_of_one_step_those_of_before_the_checkpoint_are_kept(tmp_path):
    path = tmp_path / "metrics.csv"
    log = MetricsCsv(path)
    for value in (1.0, 2.0, 3.0):  # steps that were skipped in between
        log.log_metrics({"val": value}, step=7)
    log.cut_after(7, rows=2)
    assert [row["val"] for row in MetricsCsv(path).rows()] == ["1.0", "2.0"]


def test_a_run_that_begins_drops_the_rows_of_one_that_saved_nothing(tmp_path):
    MetricsCsv(tmp_path / "metrics.csv").log_metrics({"old": 1.0}, step=1)
    log = MetricsCsv(tmp_path / "metrics.csv")
    log.start_over()
    log.log_metrics({"loss": 2.0}, step=1)
    assert log.rows() == MetricsCsv(tmp_path / "metrics.csv").rows() == [{"step": "1", "loss": "2.0"}]
    assert log.written == 1


def test_a_row_that_was_cut_off_is_dropped(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text("step,loss\n0,1.0\n1,0.9\n\n1")  # the last one was to be 10 or more
    log = MetricsCsv(path)
    log.cut_after(1, rows=None)
    assert path.read_text().splitlines() == ["step,loss", "0,1.0", "1,0.9"]
