"""What may leave: finds personal data, decides by policy, replaces it and proves that it is gone.

Pure: no Kafka, and no files but its own policies and model. Imports schemas only.
"""
