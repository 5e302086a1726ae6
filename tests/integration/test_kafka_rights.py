"""A Kafka that asks who one is: imc needs no more rights than it uses, and names the one that is missing."""
import pytest

from cluster import Cluster, free_port, wait_for

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def guarded(own_kafka):
    """A Kafka with a second listener, where imc comes as user "imc"; tests rule it by the first one."""
    port = free_port()
    # The tests' and Kafka's own users have no name.
    guarded = own_kafka(f"""
listeners=PLAINTEXT://127.0.0.1:@PORT@,CONTROLLER://127.0.0.1:@CONTROLLER_PORT@,SASL://127.0.0.1:{port}
advertised.listeners=PLAINTEXT://127.0.0.1:@PORT@,SASL://127.0.0.1:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL:SASL_PLAINTEXT
sasl.enabled.mechanisms=PLAIN
listener.name.sasl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_imc="secret";
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
""")
    guarded.sasl = f"127.0.0.1:{port}"
    return guarded


@pytest.fixture
def make_guarded(guarded):
    made = []

    def make(password="secret", **env):
        user = f"security.protocol=sasl_plaintext,sasl.mechanisms=PLAIN,sasl.username=imc,sasl.password={password}"
        made.append(Cluster(guarded, env={"IMC_LOGIC_BUS_BROKERS": guarded.sasl, "IMC_JOB_BUS_BROKERS": guarded.sasl,
                                          "IMC_LOGIC_BUS_OPTIONS": user, "IMC_JOB_BUS_OPTIONS": user, **env}))
        return made[-1]

    yield make
    for cluster in made:
        cluster.stop()


def grant(bus, *args):
    bus.tool("AclCommand", "--add", "--allow-principal", "User:imc", *args)


def says(daemon, *words):
    """/readyz is 503 and has these words in it."""
    wait_for(lambda: daemon.get("/readyz")[0] == 503 and all(word in daemon.get("/readyz")[1] for word in words), 40,
             lambda: f"{daemon.name} to say {words}: {daemon.get('/readyz')}\n{daemon.log()[-3000:]}", 0.1)
    wait_for(lambda: words[0] in daemon.log(), 5, f"{daemon.name}'s log to say {words[0]}")


def test_an_existing_topic_needs_no_right_to_create_it(guarded, make_guarded, uid):
    topic = f"imc-test-{guarded.topics + 1}"
    guarded.tool("TopicCommand", "--create", "--topic", topic, "--partitions", "4")
    grant(guarded, "--topic", topic, "--operation", "Describe", "--operation", "Write", "--operation", "Read")
    grant(guarded, "--group", topic, "--operation", "Read")
    cluster = make_guarded().wait_ready()
    cluster.api.push(uid, "hello")
    wait_for(lambda: cluster.mailbox(uid) == 1, 10, "the message")
    assert cluster.logics[0].log().count("DescribeConfigs") == 1  # it would be better to know the limit


def test_each_missing_right_is_named_and_heals_when_granted(guarded, make_guarded, uid):
    cluster = make_guarded()
    topic, logic, job = cluster.topic, cluster.logics[0], cluster.jobs[0]
    says(logic, "TOPIC_AUTHORIZATION_FAILED", "Describe and Write", topic)
    says(job, "AUTHORIZATION_FAILED", "grant")
    grant(guarded, "--topic", topic, "--operation", "Describe")
    says(logic, "TOPIC_AUTHORIZATION_FAILED", "Create", topic)
    guarded.tool("TopicCommand", "--create", "--topic", topic, "--partitions", "4")
    says(logic, "AUTHORIZATION_FAILED", "Describe and Write", topic)
    grant(guarded, "--topic", topic, "--operation", "Write")
    wait_for(logic.ready, 60, lambda: f"logic to be ready: {logic.get('/readyz')}", 0.1)
    says(job, "GROUP_AUTHORIZATION_FAILED", "Read")
    grant(guarded, "--group", topic, "--operation", "Read")
    cluster.api.push(uid, "hello")
    says(job, "TOPIC_AUTHORIZATION_FAILED", "Describe and Read", topic)
    grant(guarded, "--topic", topic, "--operation", "Read")
    wait_for(lambda: cluster.mailbox(uid) == 1, 30, "the message")
    cluster.wait_ready()


def test_a_wrong_password_is_named(make_guarded):
    cluster = make_guarded("wrong")
    says(cluster.logics[0], "password", "bus.options")
