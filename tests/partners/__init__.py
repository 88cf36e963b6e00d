"""The tools that goldpan writes for (Spark, MLflow, Langfuse, …), so that they can be asked.

They need other versions of packages than goldpan does, so they are installed into a folder of their
own from ``requirements/partners.lock``, and run as processes of their own: the scripts here.
"""
