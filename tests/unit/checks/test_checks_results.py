"""Test results and coverage: what files say, and what hostile files may not do."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecluse.checks import junit, linecoverage, results
from ecluse.checks.xmlread import MAX_DEPTH, XmlRefused, walk
from ecluse.measured import CaseCounts
from ecluse.secrets.mask import Masker

JUNIT = b"""<?xml version="1.0" encoding="utf-8"?>
<testsuites><testsuite name="outer"><testsuite name="inner">
<testcase classname="tests.test_a" name="test_good" time="0.5"/>
<testcase classname="tests.test_a" name="test_bad" file="tests/test_a.py" line="7" time="1,001.25">
  <failure message="assert 1 == 2">def test_bad():&#10;&gt; assert 1 == 2</failure></testcase>
<testcase classname="tests.test_a" name="test_broken"><error message="collection failure"/></testcase>
<testcase classname="tests.test_a" name="test_later"><skipped message="not now"/></testcase>
<testcase classname="tests.test_a" name="test_shaky"><flakyFailure message="once"/></testcase>
</testsuite></testsuite></testsuites>"""

BOMB = b"""<!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;&x;&x;">]><testsuites><testcase name="&y;"/></testsuites>"""
READER = b"""<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]><testsuite><testcase name="&x;"/></testsuite>"""
PARAMETER = b"""<!DOCTYPE a [<!ENTITY % x SYSTEM "http://127.0.0.1:9/x.dtd"> %x;]><testsuite/>"""


def test_cases_are_read_with_their_messages() -> None:
    cases = {case.name: case for case in junit.read(JUNIT)}
    bad = cases["tests.test_a::test_bad"]
    assert (bad.result, bad.file, bad.line, bad.duration_ms) == ("failed", "tests/test_a.py", 7, 1001250.0)
    assert bad.message.startswith("assert 1 == 2\n") and "> assert" in bad.message
    assert cases["tests.test_a::test_broken"].result == "error"
    assert cases["tests.test_a::test_later"].result == "skipped"
    assert cases["tests.test_a::test_shaky"].is_flaky
    assert results.count(cases.values()) == CaseCounts(5, 2, 1, 1, 1, 1001750.0)


def test_a_case_that_failed_and_then_passed_counts_once_and_is_flaky() -> None:
    again = junit.read(b'<testsuite><testcase name="t"><failure/></testcase><testcase name="t"/></testsuite>')
    assert results.count(again) == CaseCounts(total=1, passed=1)
    assert results.flaky(again) == ["t"]


@pytest.mark.parametrize("data", [BOMB, READER, PARAMETER], ids=["bomb", "reads a file", "fetches"])
def test_hostile_documents_are_refused(data: bytes) -> None:
    with pytest.raises(XmlRefused, match="declarations of its own"):
        junit.read(data)
    with pytest.raises(XmlRefused):
        linecoverage.read_xml(data)


def test_limits_of_documents() -> None:
    deep = b"<testsuite>" * (MAX_DEPTH + 1)
    with pytest.raises(XmlRefused, match="deeper"):
        junit.read(deep)
    wide = b"<testsuite " + b" ".join(b'a%d=""' % number for number in range(100)) + b"/>"
    with pytest.raises(XmlRefused, match="attributes"):
        junit.read(wide)
    with pytest.raises(XmlRefused, match="not well-formed"):
        junit.read(b"<testsuite><testcase></testsuite>")
    with pytest.raises(XmlRefused, match="encoding"):
        junit.read(b'<?xml version="1.0" encoding="x-nowhere"?><testsuite/>')


@given(st.binary(max_size=200), st.sampled_from([b"", b"<testsuite>", b"<!DOCTYPE a [", b"\xff\xfe<\0"]))
def test_no_bytes_do_more_than_be_refused(data: bytes, head: bytes) -> None:
    for read in (junit.read, linecoverage.read_xml, linecoverage.read_json):
        try:
            found = read(head + data)
        except XmlRefused as refused:
            assert str(refused)
        else:
            assert isinstance(found, list if read is junit.read else dict)


def test_text_belongs_to_its_element() -> None:
    seen: list[tuple[str, str]] = []
    walk(b"<a>one<b>two</b>three</a>", lambda *_: None, lambda name, text: seen.append((name, text)))
    assert seen == [("b", "two"), ("a", "onethree")]


COBERTURA = b"""<?xml version="1.0"?><!DOCTYPE coverage SYSTEM 'http://cobertura.sourceforge.net/xml/coverage-04.dtd'>
<coverage line-rate="0.5"><packages><package><classes>
<class filename="a.py"><methods/><lines><line number="1" hits="1"/><line number="2" hits="0"/></lines></class>
<class filename="b.py"><lines><line number="9" hits="00"/><line number="10" hits="12"/></lines></class>
</classes></package></packages></coverage>"""


def test_coverage_of_both_kinds_is_joined_by_lines() -> None:
    told = {"meta": {"version": "7"}, "files": {"a.py": {"executed_lines": [2], "missing_lines": [1, 3]}}}
    lines = linecoverage.join([linecoverage.read_xml(COBERTURA), linecoverage.read_json(json.dumps(told).encode())])
    assert lines == {"a.py": {1: True, 2: True, 3: False}, "b.py": {9: False, 10: True}}
    found = linecoverage.summarise(lines)
    assert found is not None and (found.covered, found.total, found.percent) == (3, 5, 60.0)
    assert [one.name for one in found.files] == ["b.py", "a.py"]
    assert linecoverage.summarise({}) is None


@pytest.mark.parametrize("text", ["[]", "{}", '{"files": 3}', '{"files": {"a": {}}}', "[" * 100_000, "nonsense"])
def test_json_of_another_kind_is_refused(text: str) -> None:
    with pytest.raises(XmlRefused):
        linecoverage.read_json(text.encode())


@pytest.fixture
def place(tmp_path: Path) -> tuple[Path, Path]:
    for name in ("work", "tree"):
        (tmp_path / name).mkdir()
    return tmp_path / "work", tmp_path / "tree"


def test_only_what_the_job_wrote_counts(place: tuple[Path, Path]) -> None:
    work, tree = place
    since = time.time()
    (tree / "fixtures").mkdir()
    (tree / "fixtures" / "sample.xml").write_bytes(JUNIT)
    for name in ("fixtures/sample.xml", "checkout/fixtures/sample.xml", "out/new.xml", "node_modules/x/junit.xml"):
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_bytes(JUNIT if "new" not in name else JUNIT + b"\n")
    (work / "old.xml").write_bytes(JUNIT + b"  ")
    os.utime(work / "old.xml", (since - 60, since - 60))
    (work / "link.xml").symlink_to(work / "out" / "new.xml")
    (work / "plain.xml").write_bytes(b"<project/>")
    assert results.collect([work], tree, since).files == ["out/new.xml"]
    assert results.collect([work], tree, since, ["nowhere/*.xml"]).files == []


def test_a_file_that_is_refused_is_named(place: tuple[Path, Path]) -> None:
    work, tree = place
    (work / "junit.xml").write_bytes(BOMB.replace(b"<testsuites>", b"<testsuites ><testsuite/>"))
    found = results.collect([work], tree, time.time() - 1)
    assert [name for name, _ in found.refused] == ["junit.xml"] and not found.cases


def test_a_whole_run_is_gathered_and_masked(place: tuple[Path, Path]) -> None:
    work, tree = place
    (work / "junit.xml").write_bytes(JUNIT)
    job = results.collect([work], tree, 0.0)
    masker = Masker()
    masker.add("test_bad")
    found = results.gather([("a-1", job), ("a-2", job)], masker)
    assert found is not None
    assert (found.counts.total, found.counts.failed) == (10, 2)
    assert [one.name for one in found.failures if one.kind == "failure"] == ["tests.test_a::***"] * 2
    assert found.slowest[0].name == "tests.test_a::***" and found.flaky == ("tests.test_a::test_shaky",)
    assert results.gather([("a", results.JobResults())], masker) is None
