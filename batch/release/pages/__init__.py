"""The datasheet of a release, as Markdown and as HTML."""
