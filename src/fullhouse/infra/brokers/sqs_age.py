"""How long the oldest message of a queue has waited: SQS tells only CloudWatch."""

from datetime import datetime, timedelta
from typing import Any

LOOK_BACK_SECONDS = 600
"""SQS reports once a minute, and up to some minutes late."""


async def oldest_seconds(watch: Any, queue_name: str, now: datetime) -> float | None:  # noqa: ANN401 (made at run time)
    """Return the latest age that CloudWatch has for a queue; None if it has none yet."""
    answer = await watch.get_metric_data(
        MetricDataQueries=[
            {
                "Id": "age",
                "MetricStat": {
                    "Metric": {
                        "Namespace": "AWS/SQS",
                        "MetricName": "ApproximateAgeOfOldestMessage",
                        "Dimensions": [{"Name": "QueueName", "Value": queue_name}],
                    },
                    "Period": 60,
                    "Stat": "Maximum",
                },
            }
        ],
        StartTime=now - timedelta(seconds=LOOK_BACK_SECONDS),
        EndTime=now,
        ScanBy="TimestampDescending",
    )
    values = answer["MetricDataResults"][0]["Values"]
    return float(values[0]) if values else None
