"""The command line: composes the rooms, and alone reads environment variables."""
