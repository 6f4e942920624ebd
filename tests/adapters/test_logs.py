from __future__ import annotations

import io
import json
import logging
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from meshshift.adapters.logs import TALKATIVE, JsonFormatter, TextFormatter, configure, fields

if TYPE_CHECKING:
    from collections.abc import Iterator

logger = logging.getLogger("meshshift.test")


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """`configure` is for a whole process; give the next test its own back."""
    names = ("", *TALKATIVE)
    before = [(logging.getLogger(name), logging.getLogger(name).level) for name in names]
    handlers = list(logging.getLogger().handlers)
    yield
    for each, level in before:
        each.setLevel(level)
    logging.getLogger().handlers[:] = handlers


def record(message: str = "hello", created: float = 1_800_000_000.25, **extra: Any) -> logging.LogRecord:
    made = logging.LogRecord("meshshift.test", logging.INFO, "here.py", 1, "%s", (message,), None)
    made.created = created
    vars(made).update(extra)
    return made


def test_a_json_line_has_the_common_fields_first_and_the_records_own_after() -> None:
    line = JsonFormatter().format(record("5% → 25%", **fields(namespace="bookinfo", name="reviews", weight=25)))
    assert list(json.loads(line).items()) == [
        ("ts", "2027-01-15T08:00:00.250Z"),
        ("level", "info"),
        ("logger", "meshshift.test"),
        ("msg", "5% → 25%"),
        ("namespace", "bookinfo"),
        ("name", "reviews"),
        ("weight", 25),
    ]
    assert "→" in line


def test_a_text_line_is_for_people() -> None:
    line = TextFormatter().format(record("5% → 25%", **fields(namespace="bookinfo", name="reviews", kind="Advance")))
    assert line == "2027-01-15T08:00:00.250Z INFO    bookinfo/reviews: 5% → 25% (kind=Advance)"


def test_a_text_line_about_no_shift_names_its_logger() -> None:
    assert TextFormatter().format(record()) == "2027-01-15T08:00:00.250Z INFO    meshshift.test: hello"


def test_fields_that_are_none_are_left_out() -> None:
    assert set(json.loads(JsonFormatter().format(record(**fields(run=None, reason="Dwell"))))) == {
        *("ts", "level", "logger", "msg", "reason")
    }


def test_a_field_cannot_pass_for_a_common_one() -> None:
    line = json.loads(JsonFormatter().format(record(**fields(level="fatal", msg="forged"))))
    assert (line["level"], line["msg"]) == ("info", "hello")


@pytest.mark.parametrize("formatter", [JsonFormatter(), TextFormatter()])
@given(message=st.text(), name=st.text())
def test_one_record_is_one_line_whatever_it_says(formatter: logging.Formatter, message: str, name: str) -> None:
    line = formatter.format(record(message, **fields(name=name)))
    assert len(line.splitlines() if isinstance(formatter, TextFormatter) else line.split("\n")) == 1


@pytest.mark.parametrize("formatter", [JsonFormatter(), TextFormatter()])
def test_what_cannot_be_written_or_turns_the_text_is_an_escape(formatter: logging.Formatter) -> None:
    line = formatter.format(record("\ud800 \u202e \u200b ü"))
    assert "ü" in line or "\\u00fc" in line
    assert line.isprintable()
    assert line.encode()


@example(message="", value=float("inf"))
@example(message="", value=float("nan"))
@given(message=st.text(), value=st.floats() | st.text() | st.binary() | st.none())
def test_a_json_line_is_strict_json(message: str, value: object) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    line = JsonFormatter().format(record(message, **fields(value=value)))
    assert json.loads(line, parse_constant=refuse)["msg"] == message


def test_an_exception_comes_with_its_traceback_in_both_formats() -> None:
    stream = io.StringIO()
    for form in ("json", "text"):
        configure(form, "info", stream)
        try:
            raise KeyError("lost")
        except KeyError:
            logger.exception("it failed")
    first, rest = stream.getvalue().split("\n", 1)
    assert "KeyError: 'lost'" in json.loads(first)["exception"]
    assert rest.rstrip().endswith("KeyError: 'lost'")


def test_kopfs_records_tell_which_object_they_are_about() -> None:
    about = {"kind": "TrafficShift", "namespace": "bookinfo", "name": "reviews", "uid": "1"}
    line = json.loads(JsonFormatter().format(record(k8s_ref=about)))
    assert (line["kind"], line["namespace"], line["name"]) == ("TrafficShift", "bookinfo", "reviews")


def test_configuring_twice_tells_everything_once() -> None:
    stream = io.StringIO()
    configure("json", "info", stream)
    configure("text", "info", stream)
    logger.info("hello")
    assert len(stream.getvalue().splitlines()) == 1


def test_nothing_below_the_level_is_told() -> None:
    stream = io.StringIO()
    configure("text", "WARNING", stream)
    logger.info("quiet")
    logger.warning("loud")
    assert "quiet" not in stream.getvalue()
    assert "loud" in stream.getvalue()


@pytest.mark.parametrize("name", ["kopf.objects", "kopf._core.reactor.running", "httpx", "aiohttp.access"])
def test_libraries_are_heard_from_warnings_on_even_when_debugging(name: str) -> None:
    stream = io.StringIO()
    configure("text", "debug", stream)
    logging.getLogger(name).info("chatter")
    logging.getLogger(name).warning("trouble")
    logger.debug("ours")
    assert "chatter" not in stream.getvalue()
    assert "trouble" in stream.getvalue()
    assert "ours" in stream.getvalue()


def test_libraries_are_not_heard_below_the_level_either() -> None:
    stream = io.StringIO()
    configure("text", "error", stream)
    logging.getLogger("kopf.objects").warning("trouble")
    assert stream.getvalue() == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("xml", "info"), "log format is 'xml': use one of json, text"),
        (("json", "loud"), "log level is 'loud': use one of debug, info, warning, error"),
    ],
)
def test_a_setting_that_does_not_exist_is_refused_with_those_that_do(arguments: tuple[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        configure(*arguments)
