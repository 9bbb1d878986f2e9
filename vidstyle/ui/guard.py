"""Who is answered: the browser that was given the token, asking from the page itself, by the address it was given."""

from __future__ import annotations

import secrets
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_NAMES = ("127.0.0.1", "localhost")
_HEADERS = {
    # Nothing from elsewhere, nothing inline, in nobody's frame.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class Guard:
    """Refuses what does not come from the page.

    - The Host header must name this server, so that a foreign name that resolves to 127.0.0.1 (DNS rebinding) is
      of no use.
    - A request that changes something must come from the page's own origin; one that a browser says comes from another
      site, or from another port of this machine, is refused whatever it is.
    - Every request must carry the session's token: once as ``/?token=``, which is exchanged for a cookie that scripts
      cannot read and that other sites do not send, or as ``Authorization: Bearer``.

    Args:
        app: what answers the rest.
        token: of the session.
        port: this server listens on.
    """

    def __init__(self, app: ASGIApp, token: str, port: int) -> None:
        self._app, self._token = app, token
        self._hosts = {f"{name}:{port}" for name in _NAMES}
        self._cookie = f"vidstyle_{port}"  # cookies know no ports

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        headers = Headers(scope=scope)
        answer = self._refusal(scope, headers) or self._exchange(scope)
        if answer is None and not self._is_known(headers):
            answer = _refused(401, "This page needs the address that 'vidstyle ui' printed; open that one.")

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                known = [(name.lower().encode(), value.encode()) for name, value in _HEADERS.items()]
                message = {**message, "headers": [*message.get("headers", ()), *known]}
            await send(message)

        await (answer or self._app)(scope, receive, send_guarded)

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        host = headers.get("host", "")
        if host not in self._hosts:
            return _refused(421, "This server answers only to 127.0.0.1 and localhost.")
        origin = headers.get("origin")
        safe = scope["method"] in ("GET", "HEAD")
        if (origin is not None or not safe) and origin != f"http://{host}":
            return _refused(403, "Only the page itself may ask for this.")
        site = headers.get("sec-fetch-site", "same-origin")
        # A person may follow a link or type an address; nothing else may come from outside.
        typed = site == "none" and safe
        entering = scope["path"] == "/" and safe and headers.get("sec-fetch-mode") == "navigate"
        if site != "same-origin" and not typed and not entering:
            return _refused(403, "Only the page itself may ask for this.")
        return None

    def _exchange(self, scope: Scope) -> Response | None:
        if scope["path"] != "/" or b"token=" not in scope.get("query_string", b""):
            return None
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        if not self._matches(given):
            return _refused(401, "This address is of another session; open the one that 'vidstyle ui' printed.")
        answer = RedirectResponse("/", status_code=303)
        answer.set_cookie(self._cookie, self._token, httponly=True, samesite="strict", path="/")
        return answer

    def _is_known(self, headers: Headers) -> bool:
        bearer = headers.get("authorization", "").removeprefix("Bearer ")
        try:
            cookies = SimpleCookie(headers.get("cookie", ""))
        except CookieError:
            cookies = SimpleCookie()
        cookie = cookies[self._cookie].value if self._cookie in cookies else ""
        return self._matches(bearer) or self._matches(cookie)

    def _matches(self, given: str) -> bool:
        return secrets.compare_digest(given.encode(), self._token.encode())


def _refused(status: int, sentence: str) -> Response:
    return JSONResponse({"error": sentence}, status_code=status)
