"""The file format of a release: bytes, types, and the rules that tie the files together."""
