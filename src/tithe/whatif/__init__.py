"""Projection: what a recorded or described task would take with another endpoint or another design."""
