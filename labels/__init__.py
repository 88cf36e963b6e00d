"""Labels: signals, join, label policy, calibration and the review queue.

Pure: no Kafka, no files. Imports schemas only.
"""
