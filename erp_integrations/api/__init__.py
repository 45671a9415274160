"""REST calls of the ERP Integrations tool: send, retrieve, decide, and list the queue.

Procore has no public calls for these; the routes are ours, in Procore's idiom
(docs/design/procore-rest-conventions.md, "Routes of our own"; docs/api-clicks.md).
"""
