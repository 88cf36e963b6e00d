"""The servers of the tests keep what the tests rely on."""
