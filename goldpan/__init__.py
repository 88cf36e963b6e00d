"""The command line, the settings and the demo.

The only room that imports all others; none of them imports it.
"""
