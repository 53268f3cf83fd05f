"""What browser tests share: where Chromium is, how it is started, and the hub it looks at."""

import shutil
from dataclasses import dataclass

from flask_openapi3.openapi import OpenAPI

from hub.core.runtime import Runtime

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--lang=zh-CN",
)
ASK_AXE = """async kinds => {
  const found = await axe.run(document, {runOnly: kinds, resultTypes: ["violations"]});
  const place = node => node.target.join(" ") + " " + (node.failureSummary || "").split("\\n")[1];
  return found.violations.map(v => v.id + ": " + v.nodes.slice(0, 3).map(place).join(" | "));
}"""


@dataclass(frozen=True)
class Served:
    """A hub that answers browsers: its address, its application, and what is behind it."""

    address: str
    app: OpenAPI
    runtime: Runtime
