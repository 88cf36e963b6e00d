"""The pages of a release that people read, with their charts and estimates."""
