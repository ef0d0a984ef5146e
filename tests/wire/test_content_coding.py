import gzip
import zlib

import pytest

from tithe.wire.content_coding import ContentDecoder

TEXT = b"what a model says " * 2000


def plain(coding: str | None, *reads: bytes) -> tuple[bytes, str | None]:
    decoder = ContentDecoder(coding)
    return b"".join(decoder.feed(read) for read in reads), decoder.unread


@pytest.mark.parametrize(
    ("coding", "packed"),
    [
        (None, TEXT),
        ("identity", TEXT),
        (" GZIP", gzip.compress(TEXT)),
        ("x-gzip", gzip.compress(TEXT[:900]) + gzip.compress(TEXT[900:])),
        ("deflate", zlib.compress(TEXT)),
        ("deflate", zlib.compress(TEXT)[2:-4]),
    ],
)
def test_a_body_is_unpacked_whatever_the_reads(coding: str | None, packed: bytes):
    assert plain(coding, packed) == (TEXT, None)
    assert plain(coding, *(packed[i : i + 1] for i in range(len(packed)))) == (TEXT, None)


def test_what_unpacks_to_much_in_one_read_is_all_there():
    much = bytes(5 * 1024 * 1024)
    assert plain("gzip", gzip.compress(much)) == (much, None)


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, br"])
def test_a_coding_that_is_not_known_is_named(coding: str):
    assert plain(coding, TEXT) == (b"", f"content-encoding {coding}")


def test_what_came_before_the_damage_is_read():
    packer = zlib.compressobj(wbits=31)
    begin = packer.compress(TEXT) + packer.flush(zlib.Z_SYNC_FLUSH)
    assert plain("gzip", begin, b"\xff" * 9, b"more") == (TEXT, "content-encoding damaged")


def test_an_end_that_does_not_come_is_no_damage():
    assert plain("gzip", gzip.compress(TEXT)[:-8]) == (TEXT, None)
    assert plain("deflate", b"\x78") == (b"", None)
