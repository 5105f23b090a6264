"""Listen to Look: action recognition in untrimmed video by previewing audio."""

__version__ = "0.1.0"  # the one place; pyproject.toml, artifacts and reports read it here
