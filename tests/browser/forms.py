"""Objects made as an operator makes them: by the forms of the site, field by field."""

from playwright.sync_api import Locator, expect

from tests.browser.visitor import Visitor


def make(visitor: Visitor, path: str, **fields: str | float) -> int:
    """Make an object with the form at `path`, and return its id, of the page that follows."""
    visitor.go(path)
    return fill_and_make(visitor, **fields)


def fill_and_make(visitor: Visitor, **fields: str | float) -> int:
    """Make an object with the form that is open, and return its id."""
    fill(visitor, **fields)
    visitor.page.locator(".objects-save button").click()
    expect(visitor.page.get_by_text("was made.")).to_be_visible()
    return int(visitor.page.url.rstrip("/").rpartition("/")[2])


def change(visitor: Visitor, path: str, **fields: str | float) -> None:
    """Change fields with the form at `path`."""
    visitor.go(path)
    fill(visitor, **fields)
    visitor.page.locator(".objects-save button").click()
    expect(visitor.page.get_by_text("was changed.")).to_be_visible()


def fill(visitor: Visitor, **fields: str | float) -> None:
    """Fill a form. Where an object is to be named, its name is typed and what is offered taken."""
    for name, value in fields.items():
        field = visitor.page.locator(f"[name='{name}']")
        if value and field.get_attribute("list"):
            field.fill(_offered(field, str(value)))
        elif field.evaluate("one => one.tagName") == "SELECT":
            field.select_option(str(value))
        else:
            field.fill(str(value))


def _offered(field: Locator, words: str) -> str:
    """Return what the list of a field offers that begins with the words."""
    offered = field.page.locator(f"#{field.get_attribute('list')} option[value^='{words} #']")
    if not offered.count():
        field.press_sequentially(words)  # the list begins with what is newest
    expect(offered).to_have_count(1)
    return str(offered.get_attribute("value"))
