"""Sockets: the measuring HTTP client, the remote backend, the HTTP server, the scripted server.

Import from the file that holds the noun (`tithe.net.server`, `tithe.net.remote`): a client need not pay
for importing the server.
"""
