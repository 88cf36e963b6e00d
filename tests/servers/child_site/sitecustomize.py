"""Python runs this at the start of a process that has this folder on its path.

So processes that a command starts by itself share the compiled expressions of the run, too.
"""

from tests.servers.shared_expressions import share_expressions

share_expressions()
