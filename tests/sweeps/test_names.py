"""Names of jobs: readable, fit for a folder, and never the same."""

import re

from hypothesis import given
from hypothesis import strategies as st

from brushnet.sweeps.names import LONGEST, name_of, names_of, shown


def test_names_say_what_differs():
    values = {"stroke": "three_octaves", "layers": "deep", "style.files": "['art/Starry Night.jpg']", "seed": "1"}
    assert name_of(values) == "three_octaves-deep-Starry_Night-seed1"
    assert name_of({"loss.style_weight": "0.6", "net.trunk": "plain"}) == "style_weight0.6-trunkplain"
    assert name_of({}) == "job"


def test_paintings_are_called_by_their_names_alone():
    assert shown("style.files", "['a/b.jpg','c (1).png']") == "b+c (1)"
    assert shown("style.files", "[sample:painted-small]") == "painted-small"
    assert shown("data.path", "'my photos'") == "my photos"


texts = st.text(max_size=150)


@given(st.lists(st.fixed_dictionaries({"stroke": texts, "loss.style_weight": texts}), max_size=6, unique_by=repr))
def test_names_are_different_folders_whatever_the_values(jobs):
    names = names_of(jobs)
    assert len(set(names)) == len(jobs)
    assert all(re.fullmatch(r"[\w.+-]+", name) and len(name.encode()) <= LONGEST and name[0] != "." for name in names)


def test_taken_names_are_left_alone():
    assert names_of([{"stroke": "half"}], taken=["half"])[0].startswith("half-")
    assert names_of([{"stroke": "half"}], taken=["fixed"]) == ["half"]


def test_no_job_lies_where_the_report_will():
    assert names_of([{"stroke": "report"}])[0].startswith("report-")
