"""What may leave: finds personal data, decides by policy, replaces it and proves that it is gone. Pure (no Kafka, no files but its own policy). Imports schemas only."""
