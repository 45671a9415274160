"""The OAuth endpoints in the OpenAPI description; they are not resource views."""

from __future__ import annotations

from typing import NotRequired, TypedDict

from drf_spectacular.generators import SchemaGenerator

from erpbridge.oauth.endpoints import GRANTS
from erpbridge.rest.schema.json_schema import schema_of
from erpbridge.rest.schema.operations import Schema, an_object

AREA = "OAuth"
SCHEME: Schema = {
    "type": "oauth2",
    "flows": {
        "clientCredentials": {"tokenUrl": "/oauth/token", "scopes": {}},
        "authorizationCode": {
            "authorizationUrl": "/oauth/authorize",
            "tokenUrl": "/oauth/token",
            "refreshUrl": "/oauth/token",
            "scopes": {},
        },
    },
}
TEXT: Schema = {"type": "string"}
CLIENT = {"client_id": TEXT, "client_secret": TEXT}
TOKEN_BODY = an_object(
    {
        "grant_type": {"enum": list(GRANTS)},
        **CLIENT,
        "code": TEXT,
        "redirect_uri": TEXT,
        "code_verifier": TEXT,
        "refresh_token": TEXT,
    },
    ["grant_type"],
)
REVOKE_BODY = an_object({"token": TEXT, **CLIENT}, ["token"])


class Token(TypedDict):
    """An access token. Times are in seconds, ``created_at`` in seconds since 1970."""

    access_token: str
    token_type: str
    expires_in: int
    created_at: int
    refresh_token: NotRequired[str]


class TokenApplication(TypedDict):
    """The application that a token was issued to."""

    uid: str


class TokenInfo(TypedDict):
    """Who the token acts for, and how long it is valid."""

    resource_owner_id: int
    scopes: list[str]
    expires_in_seconds: int
    application: TokenApplication
    created_at: int


class OAuthError(TypedDict):
    """An error as in RFC 6749, with the fields of all other API errors."""

    error: str
    error_description: str
    errors: str
    message: str
    code: int


def with_endpoints(result: Schema, generator: SchemaGenerator, **_more: object) -> Schema:
    """Add the endpoints and the security scheme (a drf-spectacular hook)."""
    registry = generator.registry
    error = schema_of(OAuthError, registry)

    def operation(name: str, summary: str, answer: Schema, body: Schema | None = None) -> Schema:
        # Calls with a body send the client's own credentials in it; the others need a token.
        described: Schema = {
            "operationId": name,
            "summary": summary,
            "tags": [AREA],
            "security": [] if body else [{"oauth2": []}],
            "responses": {
                "200": _json(answer, "Done."),
                "400": _json(error, "The request is malformed."),
                "401": _json(error, "The client or the token is unknown."),
                "429": _json(error, "Too many wrong secrets."),
            },
        }
        if body:
            described["description"] = (
                "Forms are accepted too, and client credentials by HTTP Basic."
            )
            content = {"application/json": {"schema": body}}
            described["requestBody"] = {"required": True, "content": content}
        return described

    token, info = schema_of(Token, registry), schema_of(TokenInfo, registry)
    paths = {
        "/oauth/token": {"post": operation("token", "An access token", token, TOKEN_BODY)},
        "/oauth/token/info": {"get": operation("token_info", "Whose token it is", info)},
        "/oauth/revoke": {"post": operation("revoke", "End a token", an_object({}), REVOKE_BODY)},
    }
    result["paths"] = {**paths, **result["paths"]}
    # Built again: drf-spectacular did it before this hook added the schemas above.
    result["components"] = registry.build({"securitySchemes": {"oauth2": SCHEME}})
    return result


def _json(schema: Schema, text: str) -> Schema:
    return {"description": text, "content": {"application/json": {"schema": schema}}}
