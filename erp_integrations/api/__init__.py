"""The two clicks over HTTP: send, decide, retrieve, and the queue itself.

Procore has no public calls for these; the routes are ours, in Procore's idiom
(reference rest-api.md 3.6, ``docs/api-clicks.md``).
"""
