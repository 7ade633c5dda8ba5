from tests.support.web.fixtures import browser, demo

__all__ = ["browser", "demo"]
