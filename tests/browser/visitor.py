"""Somebody at a browser: one context with its own cookies, and what its console complained of."""

from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, ConsoleMessage, Page

AXE = Path(__file__).parents[2] / "frontend/node_modules/axe-core/axe.min.js"
GRAVE = {"serious", "critical"}


class Visitor:
    def __init__(self, browser: Browser, url: str, **options: Any) -> None:
        # Colours that are on their way to others are no fault.
        options.setdefault("reduced_motion", "reduce")
        self.context = browser.new_context(ignore_https_errors=True, base_url=url, **options)
        self.context.set_default_timeout(60_000)  # the machine may be busy
        self.page: Page = self.context.new_page()
        self.complaints: list[str] = []
        self.page.on("console", self._listen)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def close(self) -> None:
        self.context.close()

    def go(self, path: str) -> None:
        self.page.goto(path)

    def fill(self, **fields: str) -> None:
        for name, value in fields.items():
            self.page.fill(f"[name={name}]", value)

    def press(self, words: str) -> None:
        self.page.get_by_role("button", name=words, exact=True).click()

    def sign_in(self, email: str, password: str) -> None:
        self.fill(login=email, password=password)
        self.press("Sign in")

    def sign_out(self) -> None:
        self.page.locator("summary", has_text="Your account").click()
        self.press("Sign out")

    def lose_the_session(self) -> None:
        """As when it expires, or somebody ends it elsewhere."""
        self.context.clear_cookies(name="sessionid")

    def faults_of_accessibility(self, *rules: str) -> list[str]:
        """Return what axe-core finds grave, one line for each; of `rules` alone, if any."""
        if self.page.evaluate("() => !window.axe"):
            self.page.evaluate(AXE.read_text())
        # Of what breaks no rule it need not tell every node.
        asked = {"resultTypes": ["violations"], **({"runOnly": list(rules)} if rules else {})}
        found = self.page.evaluate("(asked) => axe.run(asked)", asked)
        return [
            f"{each['impact']} {each['id']}: {node['target']} {node['failureSummary']}"
            for each in found["violations"]
            if each["impact"] in GRAVE
            for node in each["nodes"]
        ]

    def _listen(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)
