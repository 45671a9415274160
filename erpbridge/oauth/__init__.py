"""OAuth 2 for programs: applications, service accounts, codes and tokens.

Small views of our own. django-oauth-toolkit, as shipped, answers ``/oauth/token`` with and without
a slash differently, takes no JSON bodies, gives no ``created_at`` and no ``/oauth/token/info``,
revokes elsewhere with an empty body, and keeps tokens in clear: all its views and both its token
models would have to be replaced.
"""
