"""What a server does for its archive of classes, so that it loads those of queries too.

It is a program of its own, as few processes can import the client: its arguments are the address
of the server and a folder.
"""

import sys

from pyspark.sql.connect.session import SparkSession

ROWS = "SELECT id, md5(string(id)) AS text, map('k', id) AS more FROM range(9)"
QUERY = "SELECT text, count(*) FROM stored WHERE more['k'] > 1 GROUP BY text"

if __name__ == "__main__":
    session = SparkSession.builder.remote(sys.argv[1]).create()
    session.sql(ROWS).write.format("delta").save(sys.argv[2])
    stored = session.read.format("delta").option("versionAsOf", 0).load(sys.argv[2])
    stored.createTempView("stored")
    session.sql(QUERY).toArrow()
    session.stop()
