"""The SAM template says what the code needs, and allows nothing else: every action and resource is listed here."""

from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest
import yaml
from harness.sources import ROOT

from fullhouse.infra.brokers.sqs_place import read_sqs_url
from fullhouse.settings import PREFIX, Settings
from fullhouse.workers.subscriptions import QUEUES

QUEUE_ARNS = {f"{''.join(word.capitalize() for word in name.replace('.', '_').split('_'))}Queue.Arn" for name in QUEUES}
SES = "arn:${AWS::Partition}:ses:${AWS::Region}:${AWS::AccountId}"
FEEDBACK_ARN = "MailFeedbackQueue.Arn"
EC2 = frozenset(
    f"ec2:{name}"
    for name in (
        "CreateNetworkInterface DescribeNetworkInterfaces DescribeSubnets DeleteNetworkInterface "
        "AssignPrivateIpAddresses UnassignPrivateIpAddresses"
    ).split()
)
"""What Lambda needs to stand in a subnet. EC2 forces a wildcard, and these alone have one."""

LOG = (frozenset({"logs:CreateLogStream", "logs:PutLogEvents"}), "Logs.Arn")
SEND = (frozenset({"sqs:GetQueueUrl", "sqs:SendMessage"}), "queues")
ALLOWED = {
    "CleanUpRole": {LOG, (EC2, "*"), SEND},
    "TicketValidatorRole": {LOG, (EC2, "*")},
    "PaymentProcessorRole": {
        LOG,
        (EC2, "*"),
        SEND,
        (frozenset({"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"}), "queues and feedback"),
        (frozenset({"s3:GetObject", "s3:PutObject"}), "${TicketBucket.Arn}/*"),
        (frozenset({"s3:ListBucket"}), "TicketBucket.Arn"),
        (
            frozenset({"ses:SendEmail", "ses:SendRawEmail"}),
            f"{SES}:configuration-set/${{MailSettings}}|{SES}:identity/${{SesIdentity}}",
        ),
    },
}


FEEDBACK_QUEUES = {"MailFeedbackQueue", "MailFeedbackDead"}


class _Loader(yaml.SafeLoader):
    """Reads ``!Ref X`` and the like as ``X``."""


def _of_tag(loader: Any, _tag: str, node: Any) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    return loader.construct_sequence(node, deep=True)


_Loader.add_multi_constructor("!", _of_tag)

TEMPLATE: dict[str, Any] = yaml.load((ROOT / "deploy/aws/template.yaml").read_text(encoding="utf-8"), _Loader)  # noqa: S506
RESOURCES: dict[str, Any] = TEMPLATE["Resources"]


def of_type(name: str) -> dict[str, Any]:
    return {key: found["Properties"] for key, found in RESOURCES.items() if found["Type"] == name}


FUNCTIONS = of_type("AWS::Serverless::Function")


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def statements(role: str) -> Iterator[tuple[frozenset[str], str]]:
    properties = RESOURCES[role]["Properties"]
    assert set(properties) == {"AssumeRolePolicyDocument", "Policies"}
    (policy,) = properties["Policies"]
    for statement in policy["PolicyDocument"]["Statement"]:
        assert statement["Effect"] == "Allow"
        resources = {str(one) for one in as_list(statement["Resource"])}
        sets = {"queues": QUEUE_ARNS, "queues and feedback": QUEUE_ARNS | {FEEDBACK_ARN}}
        named = next((name for name, arns in sets.items() if resources == arns), "|".join(sorted(resources)))
        yield frozenset(as_list(statement["Action"])), named.replace(role.removesuffix("Role") + "Logs", "Logs")


@pytest.mark.parametrize("role", sorted(ALLOWED))
def test_role_allows_what_is_listed_and_nothing_else(role: str) -> None:
    found = list(statements(role))
    assert set(found) == ALLOWED[role]
    assert len(found) == len(ALLOWED[role])
    assert not any("*" in action for actions, _ in found for action in actions)
    assert [actions for actions, resource in found if resource == "*"] == [EC2]


def test_each_function_has_a_role_and_a_log_of_its_own() -> None:
    assert set(of_type("AWS::IAM::Role")) == set(ALLOWED) == {f"{name}Role" for name in FUNCTIONS}
    for name, properties in FUNCTIONS.items():
        assert properties["Role"] == f"{name}Role.Arn"
        assert properties["LoggingConfig"]["LogGroup"] == f"{name}Logs"
        assert "Policies" not in properties
        assert RESOURCES[f"{name}Logs"]["Properties"]["RetentionInDays"] == 30


def test_mail_leaves_from_one_address_alone() -> None:
    (policy,) = RESOURCES["PaymentProcessorRole"]["Properties"]["Policies"]
    mail = next(one for one in policy["PolicyDocument"]["Statement"] if one["Sid"] == "SendMail")
    assert mail["Condition"] == {"StringEquals": {"ses:FromAddress": "MailFrom"}}


def test_each_queue_of_the_worker_stands_with_its_dead_letter_queue_and_feeds_the_processor() -> None:
    place = read_sqs_url("sqs://eu-west-1")
    queues = {name: found for name, found in of_type("AWS::SQS::Queue").items() if name not in FEEDBACK_QUEUES}
    wanted = {place.name_of(queue) for queue in QUEUES} | {place.dead_name_of(queue) for queue in QUEUES}
    assert {found["QueueName"].replace("${Prefix}", "fullhouse") for found in queues.values()} == wanted
    assert all(found["FifoQueue"] and found["SqsManagedSseEnabled"] for found in queues.values())
    for name, found in queues.items():
        if name.endswith("Queue"):
            dead = f"{name.removesuffix('Queue')}Dead.Arn"
            assert found["RedrivePolicy"] == {"deadLetterTargetArn": dead, "maxReceiveCount": "Tries"}
            assert found["VisibilityTimeout"] >= 6 * TEMPLATE["Globals"]["Function"]["Timeout"]
            assert f"{dead.removesuffix('.Arn')}Alarm" in RESOURCES
    events = FUNCTIONS["PaymentProcessor"]["Events"].values()
    assert {event["Properties"]["Queue"] for event in events} == QUEUE_ARNS | {FEEDBACK_ARN}
    assert all(event["Properties"]["FunctionResponseTypes"] == ["ReportBatchItemFailures"] for event in events)


def test_what_did_not_arrive_comes_from_ses_alone_through_sns_into_a_queue_that_keeps_what_fails() -> None:
    queue, dead = (RESOURCES[name]["Properties"] for name in ("MailFeedbackQueue", "MailFeedbackDead"))
    assert queue["QueueName"].replace("${Prefix}", "fullhouse") == read_sqs_url("sqs://eu-west-1").feedback_name()
    assert queue["RedrivePolicy"] == {"deadLetterTargetArn": "MailFeedbackDead.Arn", "maxReceiveCount": "Tries"}
    assert queue["SqsManagedSseEnabled"]
    assert dead["SqsManagedSseEnabled"]
    (destination,) = of_type("AWS::SES::ConfigurationSetEventDestination").values()
    assert destination["EventDestination"]["SnsDestination"] == {"TopicARN": "MailFeedbackTopic"}
    assert set(destination["EventDestination"]["MatchingEventTypes"]) == {"bounce", "complaint", "reject"}
    assert (
        "configuration_set=${MailSettings}"
        in (TEMPLATE["Globals"]["Function"]["Environment"]["Variables"]["FULLHOUSE_MAIL_URL"])
    )
    allowed = {
        "AWS::SNS::TopicPolicy": ("ses.amazonaws.com", "sns:Publish"),
        "AWS::SQS::QueuePolicy": ("sns.amazonaws.com", "sqs:SendMessage"),
    }
    for kind, (service, action) in allowed.items():
        ((statement,),) = (one["PolicyDocument"]["Statement"] for one in of_type(kind).values())
        assert (statement["Principal"], statement["Action"]) == ({"Service": service}, action)
        assert "aws:SourceArn" in statement["Condition"]["ArnEquals"]


def test_handlers_are_there() -> None:
    for properties in FUNCTIONS.values():
        module, _, name = properties["Handler"].rpartition(".")
        assert callable(getattr(import_module(module), name))


def test_functions_are_told_settings_that_exist_and_a_pooler() -> None:
    told = TEMPLATE["Globals"]["Function"]["Environment"]["Variables"]
    assert {name.removeprefix(PREFIX).lower() for name in told} <= set(Settings.model_fields)
    assert told["FULLHOUSE_DATABASE_POOLER"] == "on"
    secret = [name for name, value in told.items() if "resolve:secretsmanager" in value]
    assert secret == ["FULLHOUSE_DATABASE_URL", "FULLHOUSE_SECRET_KEY"]


def test_nobody_outside_reads_the_bucket() -> None:
    assert set(RESOURCES["TicketBucket"]["Properties"]["PublicAccessBlockConfiguration"].values()) == {True}
    assert not of_type("AWS::S3::BucketPolicy")
