"""Settings that every test runs under."""

from hypothesis import settings

# The same examples on every run, and no verdict by the clock: `--hypothesis-profile explore` draws new ones.
settings.register_profile("check", derandomize=True, deadline=None)
settings.register_profile("explore", deadline=None, max_examples=2_000, print_blob=True)
settings.load_profile("check")
