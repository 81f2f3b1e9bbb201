"""metrics.csv of a run that is continued."""

from brushnet.training.metrics_csv import MetricsCsv
from tests.hostile.mutations import bytes_mutated
from tests.hostile.watch import outcome

WHOLE = b"step,train/loss,val/loss\r\n" + b"".join(b"%d,%.3f,\r\n" % (step, 9 / (1 + step)) for step in range(40))
ODD = (b"\0", b"\xff\xfe", b'"', b"\r", b"\n", "²,1,2\r\n".encode(), b"9" * 5000 + b",1\r\n", b"1,2,3,4,5\r\n",
       b"7," + b"a" * 200_000 + b"\r\n", b"step,step,step\r\n", b"-1,2,3\r\n", b'3,"\r\n')  # fmt: skip


def test_metrics_of_a_resumed_run(attack, tmp_path):
    path = tmp_path / "run" / "metrics.csv"
    path.parent.mkdir()

    def goes_on() -> None:
        metrics = MetricsCsv(path)
        metrics.cut_after(20, rows=21)
        metrics.log_metrics({"train/loss": 1.0, "new": 2.0}, step=21)
        rows = metrics.rows()
        assert rows[-1]["step"] == "21"
        assert rows[-1]["new"] == "2.0"
        assert all(int(row["step"]) <= 20 for row in rows[:-1])

    def act(rng):
        place = rng.randint(0, len(WHOLE))
        mutated = WHOLE[:place] + rng.choice(ODD) + WHOLE[place:] if rng.random() < 0.5 else bytes_mutated(WHOLE, rng)
        path.write_bytes(mutated)
        assert outcome(goes_on, names=path.name, writes_in=tmp_path) is None

    attack(act)
