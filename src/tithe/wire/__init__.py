"""Payloads to `core` and back: Chat Completions, server-sent events, model text. No I/O: server and client share it."""
