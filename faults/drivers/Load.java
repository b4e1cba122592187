import java.time.Duration;
import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * Load by Kafka's own Java clients, with the arguments and the lines of load.py:
 *
 * <pre>
 * Load produce NAME BROKERS TOPIC PARTITIONS PER_SECOND SETTING=VALUE...
 * Load consume NAME BROKERS TOPIC GROUP SETTING=VALUE...
 * </pre>
 */
public final class Load {
    private static final String PADDING = "x".repeat(100);
    private static final long COMMIT_INTERVAL_NS = 200_000_000L;
    private static final Duration POLL = Duration.ofMillis(100);

    private static volatile boolean stopped;

    public static void main(String[] arguments) throws Exception {
        waitForEndOfInput();
        if (arguments[0].equals("produce")) {
            produce(arguments);
        } else {
            consume(arguments);
        }
    }

    /** The harness ends the load by closing our input, or by its own death. */
    private static void waitForEndOfInput() {
        Thread thread = new Thread(() -> {
            try {
                while (System.in.read() >= 0) {
                    // Nothing is said there.
                }
            } catch (java.io.IOException broken) {
                // As good as its end.
            }
            stopped = true;
        });
        thread.setDaemon(true);
        thread.start();
    }

    private static synchronized void line(Object... fields) {
        StringBuilder text = new StringBuilder();
        for (Object field : fields) {
            text.append(field).append('\t');
        }
        System.out.print(text.append(System.nanoTime()).append('\n'));
        System.out.flush();
    }

    private static Properties properties(String[] arguments, int from) {
        Properties properties = new Properties();
        properties.put("client.id", arguments[1]);
        properties.put("bootstrap.servers", arguments[2]);
        for (int i = from; i < arguments.length; i++) {
            String[] pair = arguments[i].split("=", 2);
            properties.put(pair[0], pair[1]);
        }
        return properties;
    }

    private static void produce(String[] arguments) throws InterruptedException {
        String name = arguments[1];
        String topic = arguments[3];
        int partitions = Integer.parseInt(arguments[4]);
        long interval = (long) (1e9 / Double.parseDouble(arguments[5]));
        StringSerializer text = new StringSerializer();
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(properties(arguments, 6), text, text)) {
            long due = System.nanoTime();
            for (int number = 0; !stopped; number++) {
                send(producer, topic, name, number, number % partitions);
                due = Math.max(due + interval, System.nanoTime() - 1_000_000_000L);
                long left = due - System.nanoTime();
                if (left > 0) {
                    Thread.sleep(left / 1_000_000, (int) (left % 1_000_000));
                }
            }
            line("E");
        }
    }

    private static void send(
            KafkaProducer<String, String> producer, String topic, String name, int number, int partition) {
        line("T", number, partition);
        String value = name + ":" + number + ":" + PADDING;
        try {
            producer.send(new ProducerRecord<>(topic, partition, null, value), (metadata, error) -> {
                if (error == null) {
                    line("K", number, partition, metadata.offset());
                } else {
                    line("F", number, partition, error.getClass().getSimpleName());
                }
            });
        } catch (KafkaException error) {
            line("F", number, partition, error.getClass().getSimpleName());
        }
    }

    private static void consume(String[] arguments) {
        String topic = arguments[3];
        Properties properties = properties(arguments, 5);
        properties.put("group.id", arguments[4]);
        properties.put("enable.auto.commit", "false");
        properties.put("auto.offset.reset", "earliest");
        Map<TopicPartition, OffsetAndMetadata> read = new HashMap<>();
        StringDeserializer text = new StringDeserializer();
        try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(properties, text, text)) {
            consumer.subscribe(java.util.List.of(topic), new Assignments(read));
            long nextCommit = System.nanoTime();
            while (!stopped) {
                for (ConsumerRecord<String, String> record : consumer.poll(POLL)) {
                    String[] value = record.value().split(":");
                    line("P", record.partition(), record.offset(), value[0] + ":" + value[1]);
                    read.put(
                            new TopicPartition(topic, record.partition()),
                            new OffsetAndMetadata(record.offset() + 1));
                }
                if (!read.isEmpty() && System.nanoTime() >= nextCommit) {
                    commit(consumer, read);
                    nextCommit = System.nanoTime() + COMMIT_INTERVAL_NS;
                }
            }
            commit(consumer, read);
            line("E");
        }
    }

    private static void commit(
            KafkaConsumer<String, String> consumer, Map<TopicPartition, OffsetAndMetadata> read) {
        Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>(read);
        read.clear();
        try {
            consumer.commitSync(offsets);
            offsets.forEach((partition, offset) -> line("C", partition.partition(), offset.offset()));
        } catch (KafkaException error) {
            line("N", error.getClass().getSimpleName());
        }
    }

    /** Writes down what the group gives and takes. */
    private record Assignments(Map<TopicPartition, OffsetAndMetadata> read) implements ConsumerRebalanceListener {
        @Override
        public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
            read.clear();
            line("A", list(partitions));
        }

        @Override
        public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
            read.clear();
            line("V", list(partitions));
        }

        private static String list(Collection<TopicPartition> partitions) {
            String text = partitions.stream()
                    .map(partition -> Integer.toString(partition.partition()))
                    .collect(Collectors.joining(","));
            return text.isEmpty() ? "-" : text;
        }
    }
}
