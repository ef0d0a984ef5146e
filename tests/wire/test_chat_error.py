import msgspec
import pytest

from tithe.core.errors import InvalidRequest, Overloaded
from tithe.wire.chat_error import encode_error, read_error


def test_an_error_has_the_shape_of_openai():
    error = InvalidRequest("Unknown parameter: 'fog'.", param="fog", code="unknown_parameter")
    assert msgspec.json.decode(encode_error(error)) == {
        "error": {
            "message": "Unknown parameter: 'fog'.",
            "type": "invalid_request_error",
            "param": "fog",
            "code": "unknown_parameter",
        }
    }
    assert msgspec.json.decode(encode_error(Overloaded("full")))["error"]["param"] is None


def test_what_is_written_is_read():
    assert read_error(encode_error(Overloaded("The house is full."))) == "The house is full."


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"error": {"message": "no"}}', "no"),
        (b'{"error": "no"}', "no"),
        (b'{"object": "error", "message": "no"}', "no"),
        (b'{"detail": "no"}', "no"),
        (b'{"detail": [{"loc": ["body"], "msg": "no"}]}', '[{"loc":["body"],"msg":"no"}]'),
        (b'{"error": {"code": 500}}', '{"code":500}'),
        (b'"no"', "no"),
        (b"Bad  gateway\n", "Bad gateway"),
        (b"\xff", "\ufffd"),
        (b"", ""),
    ],
)
def test_the_words_of_other_servers_are_found(body: bytes, words: str):
    assert read_error(body) == words


def test_a_long_or_deep_body_is_shortened():
    assert len(read_error(b"x" * 10_000)) == 500
    assert len(read_error(b'{"error":' * 5000 + b"1" + b"}" * 5000)) == 500
    assert read_error(b'{"error":' * 900 + b'"no"' + b"}" * 900)
