from tests.support.demo.fixtures import patients

__all__ = ["patients"]
