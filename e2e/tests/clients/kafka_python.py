"""Produces and consumes by kafka-python: records are lines of standard input and output, key TAB value.

    kafka_python.py produce BROKER TOPIC CODEC
    kafka_python.py consume BROKER TOPIC GROUP COUNT
"""

import sys

from kafka import KafkaConsumer, KafkaProducer

ACK_TIMEOUT_S = 60
IDLE_TIMEOUT_MS = 60_000


def produce(broker, topic, codec):
    producer = KafkaProducer(
        bootstrap_servers=broker,
        acks="all",
        compression_type=None if codec == "none" else codec,
        linger_ms=5,
    )
    sent = []
    for line in sys.stdin.buffer.read().splitlines():
        key, value = line.split(b"\t", 1)
        sent.append(producer.send(topic, key=key, value=value))
    for future in sent:
        future.get(timeout=ACK_TIMEOUT_S)
    producer.close()


def consume(broker, topic, group, count):
    consumer = KafkaConsumer(
        topic,
        bootstrap_servers=broker,
        group_id=group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        consumer_timeout_ms=IDLE_TIMEOUT_MS,
    )
    out = sys.stdout.buffer
    left = int(count)
    for record in consumer:
        out.write(record.key + b"\t" + record.value + b"\n")
        left -= 1
        if left == 0:
            break
    consumer.commit()
    consumer.close()
    if left:
        sys.exit(f"{left} records did not come within {IDLE_TIMEOUT_MS} ms")


if __name__ == "__main__":
    {"produce": produce, "consume": consume}[sys.argv[1]](*sys.argv[2:])
