"""The error tree: what an HTTP server answers with for each of its errors."""

import pytest

from tithe.core import errors
from tithe.core.errors import EndpointRefused, Overloaded, TitheError

# Class, its base, status, `type` and `code`.
TREE: list[tuple[str, str, int, str, str | None]] = [
    ("UsageError", "TitheError", 500, "server_error", None),
    ("ModelFilesError", "UsageError", 500, "server_error", None),
    ("InvalidRequest", "TitheError", 400, "invalid_request_error", None),
    ("ContextOverflow", "InvalidRequest", 400, "invalid_request_error", "context_length_exceeded"),
    ("TooLarge", "InvalidRequest", 413, "invalid_request_error", "request_too_large"),
    ("TooSlow", "InvalidRequest", 408, "invalid_request_error", "request_timeout"),
    ("Unauthorized", "TitheError", 401, "authentication_error", "invalid_api_key"),
    ("NotFound", "TitheError", 404, "invalid_request_error", "not_found"),
    ("Overloaded", "TitheError", 429, "rate_limit_error", "overloaded"),
    ("Closing", "TitheError", 503, "server_error", "shutting_down"),
    ("EngineError", "TitheError", 500, "server_error", "engine_error"),
    ("EndpointError", "TitheError", 502, "upstream_error", None),
    ("Unreachable", "EndpointError", 502, "upstream_error", None),
    ("StreamBroken", "EndpointError", 502, "upstream_error", None),
]


@pytest.mark.parametrize(("name", "base", "status", "kind", "code"), TREE)
def test_an_error_says_what_a_server_answers(
    name: str, base: str, status: int, kind: str, code: str | None
) -> None:
    error = getattr(errors, name)("it broke: mend it")
    assert isinstance(error, getattr(errors, base))
    assert isinstance(error, TitheError)
    assert (error.status, error.kind, error.code, error.param) == (status, kind, code, None)
    assert error.message == str(error) == "it broke: mend it"


def test_the_tree_above_is_whole() -> None:
    listed = {name for name, *_ in TREE} | {"TitheError", "EndpointRefused"}
    made = {
        name
        for name, item in vars(errors).items()
        if isinstance(item, type) and item.__module__ == errors.__name__
    }
    assert listed == made


def test_the_field_to_blame_and_a_code_of_its_own() -> None:
    error = errors.NotFound("no such model", param="model", code="model_not_found")
    assert (error.param, error.code) == ("model", "model_not_found")
    assert errors.NotFound("no such route").code == "not_found"


def test_a_full_house_says_when_to_come_back() -> None:
    assert (Overloaded("full").retry_after, Overloaded("full", retry_after=2.5).retry_after) == (1.0, 2.5)


@pytest.mark.parametrize(
    ("http_status", "status", "kind", "code"),
    [
        (429, 429, "rate_limit_error", "overloaded"),
        (401, 502, "upstream_error", None),
        (403, 502, "upstream_error", None),
        (500, 502, "upstream_error", None),
    ],
)
def test_an_endpoint_s_refusal_is_ours_to_tell_unless_the_caller_can_wait(
    http_status: int, status: int, kind: str, code: str | None
) -> None:
    error = EndpointRefused("no", http_status=http_status, body="{}", retry_after=3.0)
    assert (error.status, error.kind, error.code) == (status, kind, code)
    assert (error.http_status, error.body, error.retry_after) == (http_status, "{}", 3.0)
