"""The files of a release: their bytes, their types, and the rules that tie them together."""
