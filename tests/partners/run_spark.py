"""Runs queries on Spark: ``run_spark.py JOB.json`` prints the rows of each query.

The job names the files of each view, the folder that their partitions are under, and the queries.
It may name statements that Spark is only to read: it fails at the first that is none of its own.
"""

import json
import sys
from pathlib import Path

from pyspark.sql import SparkSession

job = json.loads(Path(sys.argv[1]).read_text())
session = (
    SparkSession.builder.master("local[1]")
    .config("spark.sql.session.timeZone", "UTC")
    .config("spark.ui.enabled", "false")
    .config("spark.sql.shuffle.partitions", "2")
    .config("spark.driver.host", "127.0.0.1")
    .getOrCreate()
)
session.sparkContext.setLogLevel("ERROR")
for name, view in job["views"].items():
    session.read.option("basePath", view["base"]).parquet(*view["files"]).createOrReplaceTempView(
        name
    )
parser = session._jsparkSession.sessionState().sqlParser()
for text in job.get("statements", ()):
    parser.parsePlan(text)
found = [[list(row) for row in session.sql(text).collect()] for text in job["queries"]]
print(json.dumps(found))
session.stop()
