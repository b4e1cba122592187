"""Load by librdkafka: each attempt, acknowledgement, poll and commit is a line of standard output.

    load.py produce NAME BROKERS TOPIC PARTITIONS PER_SECOND SETTING=VALUE...
    load.py consume NAME BROKERS TOPIC GROUP SETTING=VALUE...
    load.py read NAME BROKERS TOPIC GROUP

`produce` and `consume` go on until standard input ends; `read` reads all there is once, and what
`GROUP` has committed. The lines are described in
the harness (history.rs); times are of CLOCK_MONOTONIC, which all processes of a machine share.
"""

import os
import sys
import threading
import time

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaException,
    Producer,
    TopicPartition,
)

PADDING = "x" * 100
COMMIT_INTERVAL_S = 0.2
READ_IDLE_S = 60
# Longer than the deliveries that it waits for.
END_TIMEOUT_S = 80

stopped = threading.Event()


def wait_for_end_of_input():
    """A thread of its own: the harness ends the load by closing our input, or by its own death.

    Read without Python's buffers: their locks would be held while the interpreter ends.
    """

    def wait():
        while os.read(0, 4096):
            pass
        stopped.set()

    threading.Thread(target=wait, daemon=True).start()


class Log:
    """Lines on standard output, whole and at once, whichever thread writes them."""

    def __init__(self):
        self.lock = threading.Lock()

    def line(self, *fields):
        text = "\t".join(str(field) for field in (*fields, time.monotonic_ns())) + "\n"
        with self.lock:
            sys.stdout.write(text)
            sys.stdout.flush()


log = Log()


def settings(arguments):
    return dict(argument.split("=", 1) for argument in arguments)


def produce(name, brokers, topic, partitions, per_second, *more):
    configuration = {"bootstrap.servers": brokers, "client.id": name, **settings(more)}
    producer = Producer(configuration)
    partitions, interval = int(partitions), 1 / float(per_second)

    def delivered(number, partition):
        def report(error, message):
            if error:
                log.line("F", number, partition, error.name())
            else:
                # Without an offset when an earlier try turned out to have arrived.
                offset = message.offset()
                log.line("K", number, partition, -1 if offset is None else offset)

        return report

    number, due = 0, time.monotonic()
    while not stopped.is_set():
        partition = number % partitions
        log.line("T", number, partition)
        try:
            producer.produce(
                topic,
                f"{name}:{number}:{PADDING}",
                partition=partition,
                on_delivery=delivered(number, partition),
            )
        except (BufferError, KafkaException) as error:
            log.line("F", number, partition, type(error).__name__)
        number += 1
        due = max(due + interval, time.monotonic() - 1)
        try:
            while True:
                left = due - time.monotonic()
                producer.poll(max(left, 0))
                if left <= 0:
                    break
        except KafkaException as error:
            # Fatal: this producer writes nothing any more. An application would make another one.
            log.line("N", error.args[0].name())
            give_up(producer)
            producer = Producer(configuration)
    log.line("E")
    give_up(producer, END_TIMEOUT_S)


def give_up(producer, timeout=0):
    """Waits for what is on its way; what is not answered then is reported as failed."""
    try:
        producer.flush(timeout)
        producer.purge()
        producer.flush(1)
    except KafkaException as error:
        log.line("N", error.args[0].name())


def value(message):
    return ":".join(message.value().decode().split(":")[:2])


def consume(name, brokers, topic, group, *more):
    consumer = Consumer(
        {
            "bootstrap.servers": brokers,
            "client.id": name,
            "group.id": group,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            **settings(more),
        }
    )
    read = {}

    def assigned(_, partitions):
        read.clear()
        log.line("A", ",".join(str(p.partition) for p in partitions) or "-")

    def revoked(_, partitions):
        read.clear()
        log.line("V", ",".join(str(p.partition) for p in partitions) or "-")

    def commit():
        offsets = [TopicPartition(topic, p, offset) for p, offset in read.items()]
        read.clear()
        try:
            for done in consumer.commit(offsets=offsets, asynchronous=False):
                if done.error is None:
                    log.line("C", done.partition, done.offset)
        except KafkaException as error:
            log.line("N", error.args[0].name())

    consumer.subscribe([topic], on_assign=assigned, on_revoke=revoked, on_lost=revoked)
    next_commit = time.monotonic()
    while not stopped.is_set():
        message = consumer.poll(0.1)
        if message is not None and message.error():
            log.line("N", message.error().name())
        elif message is not None:
            log.line("P", message.partition(), message.offset(), value(message))
            read[message.partition()] = message.offset() + 1
        if read and time.monotonic() >= next_commit:
            commit()
            next_commit = time.monotonic() + COMMIT_INTERVAL_S
    if read:
        commit()
    log.line("E")
    consumer.close()


def read(name, brokers, topic, group):
    consumer = Consumer(
        {
            "bootstrap.servers": brokers,
            "client.id": name,
            # Assigned by hand below: the group's offsets can be asked for, and nobody joins.
            "group.id": group,
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
            "isolation.level": "read_committed",
        }
    )
    found = consumer.list_topics(topic, timeout=READ_IDLE_S).topics[topic].partitions
    ends = {}
    for partition in found:
        low, high = consumer.get_watermark_offsets(
            TopicPartition(topic, partition), timeout=READ_IDLE_S
        )
        log.line("L", partition, low, high)
        if high > low:
            ends[partition] = high
    consumer.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in ends])
    idle_since = time.monotonic()
    while ends:
        message = consumer.poll(0.5)
        if message is None:
            if time.monotonic() - idle_since > READ_IDLE_S:
                sys.exit(f"nothing more came for {READ_IDLE_S} s; still open: {ends}")
            continue
        if message.error():
            sys.exit(f"cannot read: {message.error()}")
        idle_since = time.monotonic()
        partition, offset = message.partition(), message.offset()
        log.line("P", partition, offset, value(message))
        if offset + 1 >= ends.get(partition, 0):
            ends.pop(partition, None)
    known = [TopicPartition(topic, partition) for partition in found]
    for committed in consumer.committed(known, timeout=READ_IDLE_S):
        if committed.offset >= 0:
            log.line("C", committed.partition, committed.offset)
    log.line("E")
    consumer.close()


if __name__ == "__main__":
    command, arguments = sys.argv[1], sys.argv[2:]
    if command != "read":
        wait_for_end_of_input()
    {"produce": produce, "consume": consume, "read": read}[command](*arguments)
