import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.AuthenticationFailureException;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import com.rabbitmq.client.Delivery;
import com.rabbitmq.client.GetResponse;
import com.rabbitmq.client.Return;
import com.rabbitmq.client.ShutdownSignalException;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;

/** RabbitMQ's Java client on the embedded AMQP endpoint: prints what it met. */
public final class Tour {
  private static final String EXCHANGE = "tour-java";
  private static final String QUEUE = "tour-java";
  private static int port;

  private interface Act {
    void on(Channel channel) throws Exception;
  }

  public static void main(String[] args) throws Exception {
    port = Integer.parseInt(args[1]);
    if (args[0].equals("tour")) tour();
    else faults();
  }

  private static Connection connect(String host, String user) throws Exception {
    ConnectionFactory factory = new ConnectionFactory();
    factory.setHost("127.0.0.1");
    factory.setPort(port);
    factory.setVirtualHost(host);
    factory.setUsername(user);
    factory.setPassword("");
    factory.setAutomaticRecoveryEnabled(false);
    return factory.newConnection();
  }

  private static Connection connect() throws Exception {
    return connect("/", "java");
  }

  private static void print(String line) {
    System.out.println(line);
  }

  /** As Python writes it. */
  private static String truth(boolean value) {
    return value ? "True" : "False";
  }

  private static void tour() throws Exception {
    Connection connection = connect();
    Channel channel = connection.createChannel();
    channel.confirmSelect();
    channel.exchangeDeclare(EXCHANGE, "topic", true);
    AMQP.Queue.DeclareOk counts = channel.queueDeclare(QUEUE, false, true, false, null);
    print("declared: " + counts.getMessageCount() + " messages, "
        + counts.getConsumerCount() + " consumers");
    channel.queueBind(QUEUE, EXCHANGE, "a.*");
    for (String number : new String[] {"1", "2", "3"}) {
      AMQP.BasicProperties properties = new AMQP.BasicProperties.Builder()
          .correlationId(number)
          .headers(Map.of("number", Integer.valueOf(number)))
          .build();
      channel.basicPublish(EXCHANGE, "a." + number, true, properties, number.getBytes());
    }
    channel.waitForConfirmsOrDie();
    print("confirmed: " + channel.messageCount(QUEUE) + " wait");

    GetResponse got = channel.basicGet(QUEUE, false);
    Map<String, Object> headers = got.getProps().getHeaders();
    print("got: " + got.getEnvelope().getRoutingKey() + " " + got.getProps().getCorrelationId()
        + " {'number': " + headers.get("number") + "} " + new String(got.getBody())
        + ", redelivered " + truth(got.getEnvelope().isRedeliver()) + ", "
        + got.getMessageCount() + " more");
    channel.basicReject(got.getEnvelope().getDeliveryTag(), true);
    got = channel.basicGet(QUEUE, false);
    print("rejected, got: " + got.getEnvelope().getRoutingKey() + ", redelivered "
        + truth(got.getEnvelope().isRedeliver()));
    channel.basicAck(got.getEnvelope().getDeliveryTag(), false);

    channel.basicQos(1);
    BlockingQueue<Delivery> deliveries = new LinkedBlockingQueue<>();
    String tag = channel.basicConsume(QUEUE, false,
        (consumerTag, delivery) -> deliveries.add(delivery), consumerTag -> {});
    Delivery delivery = deliveries.take();
    print("consumed: " + delivery.getEnvelope().getRoutingKey() + ", "
        + channel.messageCount(QUEUE) + " wait");
    channel.basicAck(delivery.getEnvelope().getDeliveryTag(), false);
    delivery = deliveries.take();
    print("consumed: " + delivery.getEnvelope().getRoutingKey() + ", "
        + channel.messageCount(QUEUE) + " wait");
    channel.basicReject(delivery.getEnvelope().getDeliveryTag(), false);
    channel.basicCancel(tag);
    print("rejected for good: " + channel.messageCount(QUEUE) + " wait");

    BlockingQueue<Return> returns = new LinkedBlockingQueue<>();
    channel.addReturnListener(returns::add);
    channel.basicPublish(EXCHANGE, "nowhere", true, null, "lost".getBytes());
    channel.waitForConfirmsOrDie();
    Return returned = returns.take();
    print("returned: " + returned.getReplyCode() + " " + returned.getReplyText() + " "
        + returned.getRoutingKey() + " " + new String(returned.getBody()));

    byte[] large = new byte[256_000];
    for (int index = 0; index < large.length; index++) large[index] = (byte) index;
    channel.basicPublish("", QUEUE, null, large);
    byte[] carried = channel.basicGet(QUEUE, true).getBody();
    print("carried: " + carried.length + " octets, the same "
        + truth(Arrays.equals(carried, large)));
    channel.queueUnbind(QUEUE, EXCHANGE, "a.*");
    channel.basicPublish("", QUEUE, null, "left".getBytes());
    print("purged: " + channel.queuePurge(QUEUE).getMessageCount());
    print("deleted: " + channel.queueDelete(QUEUE).getMessageCount() + " messages");
    channel.exchangeDelete(EXCHANGE);
    channel.close();
    connection.close();
    print("closed: " + truth(!channel.isOpen() && !connection.isOpen()));
  }

  /** What its message would be answered with, the answer to the next method is. */
  private static Act publish(String exchange, String key, int size, boolean immediate) {
    return channel -> {
      channel.basicPublish(exchange, key, false, immediate, null, new byte[size]);
      channel.exchangeDeclarePassive("amq.direct");
    };
  }

  private static Map<String, Act> acts() {
    Map<String, Act> acts = new LinkedHashMap<>();
    acts.put("tx", Channel::txSelect);
    acts.put("immediate", publish("amq.direct", "key", 1, true));
    acts.put("exchange to exchange", channel -> channel.exchangeBind("amq.topic", "amq.direct", ""));
    acts.put("argument",
        channel -> channel.queueDeclare("mine", false, true, false, Map.of("x-message-ttl", 1000)));
    acts.put("no-local", channel -> {
      String queue = channel.queueDeclare().getQueue();
      channel.basicConsume(queue, false, "", true, false, null, (tag, each) -> {}, tag -> {});
    });
    acts.put("exchange type", channel -> channel.exchangeDeclare("x", "x-delayed-message"));
    acts.put("no such queue", channel -> channel.queueDeclarePassive("none"));
    acts.put("no such exchange", publish("none", "key", 1, false));
    acts.put("another's queue", channel -> {
      try (Connection other = connect()) {
        other.createChannel().queueDeclare("theirs", false, true, false, null);
        channel.queueDeclare("theirs", false, true, false, null);
      }
    });
    acts.put("other flags", channel -> {
      channel.queueDeclare("mine", false, true, false, null);
      channel.queueDeclare("mine", false, true, true, null);
    });
    acts.put("unknown delivery", channel -> {
      channel.basicAck(99, false);
      channel.exchangeDeclarePassive("amq.direct");
    });
    acts.put("reserved name", channel -> channel.queueDeclare("amq.mine", false, true, false, null));
    acts.put("fl.up deleted", channel -> channel.exchangeDelete("fl.up"));
    acts.put("fl.down published to", publish("fl.down", "default.java", 1, false));
    acts.put("another's key", publish("fl.up", "default.other", 1, false));
    acts.put("another federation", publish("fl.up", "elsewhere.java", 1, false));
    acts.put("too large", publish("fl.up", "default.java", 600_000, false));
    acts.put("same tag", channel -> {
      String queue = channel.queueDeclare().getQueue();
      for (int time = 0; time < 2; time++) {
        channel.basicConsume(queue, false, "same", (tag, each) -> {}, tag -> {});
      }
    });
    acts.put("no queue named", channel -> channel.basicGet("", false));
    acts.put("virtual host", channel -> connect("elsewhere", "java"));
    acts.put("user", channel -> connect("/", "no client"));
    return acts;
  }

  private static void faults() throws Exception {
    for (Map.Entry<String, Act> each : acts().entrySet()) {
      Connection connection = connect();
      String answer = "silence";
      try {
        each.getValue().on(connection.createChannel());
      } catch (AuthenticationFailureException error) {
        answer = "403"; // it is made of no other code
      } catch (Exception error) {
        answer = codeOf(error);
      }
      print(each.getKey() + ": " + answer);
      if (connection.isOpen()) connection.close();
    }
  }

  private static String codeOf(Throwable error) throws Exception {
    for (Throwable cause = error; cause != null; cause = cause.getCause()) {
      if (!(cause instanceof ShutdownSignalException)) continue;
      Object reason = ((ShutdownSignalException) cause).getReason();
      if (reason instanceof AMQP.Channel.Close) {
        return "" + ((AMQP.Channel.Close) reason).getReplyCode();
      }
      if (reason instanceof AMQP.Connection.Close) {
        return "" + ((AMQP.Connection.Close) reason).getReplyCode();
      }
    }
    throw new Exception("Not an AMQP exception", error);
  }
}
