"""The front door: command line, settings and demo.

The only room that knows all the others, and that none of them imports.
"""
