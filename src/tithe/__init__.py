"""Tithe measures, explains and cuts the agentic inference tax."""

__version__ = "0.1.0"
