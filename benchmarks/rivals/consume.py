"""The floor: consumes and counts records, nothing else.

python -m benchmarks.rivals.consume BOOTSTRAP TOPIC COUNT
"""

import sys

from confluent_kafka import Consumer, KafkaError


def main() -> None:
    """Consume ``COUNT`` records."""
    bootstrap, topic, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": f"floor-{topic}",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe([topic])
    records = 0
    while records < count:
        for message in consumer.consume(1000, 0.5):
            error = message.error()
            if error is None:
                records += 1
                message.value()
            elif error.code() != KafkaError._PARTITION_EOF:
                raise RuntimeError(error.name())
    consumer.close()


if __name__ == "__main__":
    main()
