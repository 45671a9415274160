"""The two clicks over HTTP: send, decide, retrieve, and the queue itself.

Procore has no public calls for these; the routes are ours, in Procore's idiom
(docs/design/procore-rest-conventions.md, "Routes of our own"; docs/api-clicks.md).
"""
