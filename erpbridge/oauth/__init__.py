"""OAuth 2 for API clients: applications, service accounts, codes and tokens.

Own views instead of django-oauth-toolkit: it treats ``/oauth/token`` with and without a slash
differently, takes no JSON bodies, returns no ``created_at``, has no ``/oauth/token/info``, revokes
at another URL with an empty body, and stores tokens unhashed. All its views and both its token
models would have to be replaced.
"""
