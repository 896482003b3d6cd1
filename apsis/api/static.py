"""The dashboard's files; every unknown page is the dashboard's to find."""

from pathlib import Path
from typing import Final

from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

PACKAGED: Final = Path(__file__).with_name("static")

POLICY: Final = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "worker-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)

FOREVER: Final = "public, max-age=31536000, immutable"
"""For files whose names change with what is in them."""

NOT_BUILT: Final = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Apsis</title>
<style>body { font: 16px/1.5 system-ui, sans-serif; max-width: 40rem; margin: 4rem auto; padding: 0 1rem }</style>
<h1>Apsis is running</h1>
<p>The dashboard was not built. In the source tree:</p>
<pre>pip install --no-build-isolation -e .</pre>
<p>builds it (unless <code>APSIS_BUILD_WEB=0</code> is set); no Node is needed on the machine. Until then there are
<code>apsis --help</code> and <a href="/api/v1/runs">the API</a>.</p>
</html>
"""


class Dashboard(StaticFiles):
    """Serve the built files."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory=directory, check_dir=False)
        self.config_checked = True  # a dashboard that was not built is a page, no error

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Answer a file, or `index.html` for a page that the dashboard knows."""
        asset = path.startswith("assets/")
        try:
            answer = await super().get_response("index.html" if path == "." else path, scope)
        except HTTPException as error:
            if error.status_code != 404 or asset:
                raise
            answer = await self._index(scope)
        answer.headers["Content-Security-Policy"] = POLICY
        answer.headers["Cache-Control"] = FOREVER if asset else "no-cache"
        return answer

    async def _index(self, scope: Scope) -> Response:
        try:
            return await super().get_response("index.html", scope)
        except HTTPException as error:
            if error.status_code != 404:
                raise
            return HTMLResponse(NOT_BUILT)
