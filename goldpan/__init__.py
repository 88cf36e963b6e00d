"""The front door: command line, settings and demo.

The only room that imports all the others; none of them imports it.
"""
