"""Which addresses belong to a site."""

import pytest

from tithe.agent.site import site_of
from tithe.core.errors import UsageError


@pytest.mark.parametrize(
    ("begin", "url", "holds"),
    [
        ("https://www.example.com/a", "https://example.com/b", True),
        ("https://example.com", "http://docs.example.com:80/", True),
        ("https://docs.example.com", "https://example.com/", False),
        ("https://example.com", "https://example.com.evil.org/", False),
        ("https://example.com", "https://notexample.com/", False),
        ("https://example.com", "https://example.com@evil.org/", False),
        ("https://example.com", "https://EXAMPLE.com./", True),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000/x", True),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8001/x", False),
        ("http://127.0.0.1:8000", "http://127.0.0.1/x", False),
        ("https://example.com", "javascript:alert(1)", False),
        ("https://example.com", "//example.com/x", False),
    ],
)
def test_a_site_is_a_host_and_what_is_beneath_it(begin: str, url: str, holds: bool) -> None:
    assert site_of(begin).holds(url) is holds


@pytest.mark.parametrize(
    "url", ["example.com", "file:///etc/passwd", "https://", "about:blank", "http://x:y/", "", "http://[::1"]
)
def test_what_is_no_web_address_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="no web address"):
        site_of(url)
