"""Real servers for the tests: Kafka, S3 (also a faulty one), a schema registry, and the worker.

Each server is fetched once into a cache, started on a free port of this machine and killed with
the test process. A machine that cannot have one skips the tests that need it, and says why.
"""
