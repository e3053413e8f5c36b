"""What deploys the product: the image, the compose file and the chart are well-formed, and do as little as they may."""

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from fastapi.routing import iter_route_contexts
from harness.sources import ROOT

from fullhouse.settings import PREFIX, Settings
from fullhouse.web.app import OWN_ROUTERS

CHART = ROOT / "deploy/helm/fullhouse"
RENDERED = sorted((ROOT / "deploy/helm/rendered").glob("*.yaml"))
KUBERNETES = "1.30.0"
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = ("migrate", "api", "worker")
POD_OWNERS = {"Deployment", "Job"}


def digest_of_chart() -> str:
    """Say which chart it is: all its files, by name."""
    digest = hashlib.sha256()
    for path in sorted(path for path in CHART.rglob("*") if path.is_file()):
        digest.update(path.relative_to(CHART).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def objects(path: Path) -> list[dict[str, Any]]:
    return [one for one in yaml.safe_load_all(path.read_text(encoding="utf-8")) if one]


def of_kind(path: Path, kind: str) -> dict[str, dict[str, Any]]:
    return {one["metadata"]["name"]: one for one in objects(path) if one["kind"] == kind}


def pods(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for one in objects(path):
        if one["kind"] in POD_OWNERS:
            yield one["metadata"]["name"], one["spec"]["template"]["spec"]


def settings_of(environment: Any) -> set[str]:
    return {name.removeprefix(PREFIX).lower() for name in environment if name.startswith(PREFIX)}


def test_image_is_built_as_its_linter_wants() -> None:
    linter = Path(sys.executable).with_name("hadolint")
    found = subprocess.run(
        [linter, "--failure-threshold", "info", ROOT / "Dockerfile"], check=False, capture_output=True, text=True
    )
    assert (found.returncode, found.stdout) == (0, "")


def test_image_has_two_stages_runs_as_nobody_and_says_whether_it_is_well() -> None:
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    words = [line.split(maxsplit=1) for line in lines if line.strip() and not line.startswith("#")]
    stages = [number for number, (instruction, _) in enumerate(words) if instruction == "FROM"]
    assert len(stages) == 2
    last = words[stages[1] :]
    assert ["USER", "10001"] in last
    assert any(instruction == "HEALTHCHECK" and "/healthz" in rest for instruction, rest in last)
    assert [instruction for instruction, _ in last].count("RUN") == 1
    assert not any("pip" in rest for instruction, rest in last if instruction == "RUN")


def test_compose_runs_the_product_on_servers_that_are_well() -> None:
    assert {*OURS, "postgres", "valkey", "rabbitmq", "kafka"} <= set(SERVICES)
    for name in ("api", "worker"):
        waits = SERVICES[name]["depends_on"]
        assert waits["migrate"] == {"condition": "service_completed_successfully"}
        assert {broker: waits[broker]["required"] for broker in ("rabbitmq", "kafka")} == {
            "rabbitmq": False,
            "kafka": False,
        }
    for service, conditions in ((one, one.get("depends_on", {})) for one in SERVICES.values()):
        assert service is not None
        for waited, how in conditions.items():
            if how["condition"] == "service_healthy":
                assert SERVICES[waited]["healthcheck"]["test"]


def test_compose_listens_on_loopback_alone_and_gives_our_processes_no_more_than_they_need() -> None:
    for name, service in SERVICES.items():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ())), name
        assert ":" in service["image"] or "build" in service, name
        assert not str(service["image"]).endswith(":latest"), name
    for name in OURS:
        service = SERVICES[name]
        assert service["read_only"]
        assert (service["cap_drop"], service["security_opt"]) == (["ALL"], ["no-new-privileges:true"])
        assert settings_of(service["environment"]) <= set(Settings.model_fields)


def test_volumes_of_compose_are_declared() -> None:
    used = {volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", ())}
    assert used == set(COMPOSE["volumes"])


@pytest.mark.parametrize("path", RENDERED, ids=lambda path: path.stem)
class TestChart:
    """What Helm made of the chart; ``make chart`` makes it anew."""

    def test_is_of_this_chart(self, path: Path) -> None:
        first = path.read_text(encoding="utf-8").splitlines()[0]
        assert first == f"# {digest_of_chart()}", "run `make chart`"

    def test_objects_are_what_kubernetes_takes(self, path: Path) -> None:
        for one in objects(path):
            kubernetes_validate.validate(one, KUBERNETES, strict=True)

    def test_pods_may_do_nothing_that_they_need_not(self, path: Path) -> None:
        found = dict(pods(path))
        assert {name.rpartition("-")[2] for name in found} == {"api", "worker", "migrate"}
        for pod in found.values():
            assert pod["automountServiceAccountToken"] is False
            assert (pod["securityContext"]["runAsNonRoot"], pod["securityContext"]["runAsUser"]) == (True, 10001)
            (container,) = pod["containers"]
            allowed = container["securityContext"]
            assert (allowed["allowPrivilegeEscalation"], allowed["readOnlyRootFilesystem"]) == (False, True)
            assert allowed["capabilities"] == {"drop": ["ALL"]}
            assert container["resources"]["requests"]
            assert container["resources"]["limits"]["memory"]
            assert settings_of(one["name"] for one in container["env"]) <= set(Settings.model_fields)

    def test_api_is_asked_whether_it_lives_and_whether_it_is_ready_and_has_time_to_drain(self, path: Path) -> None:
        pod = next(pod for name, pod in pods(path) if name.endswith("-api"))
        (container,) = pod["containers"]
        asked = {name: container[f"{name}Probe"]["httpGet"]["path"] for name in ("startup", "liveness", "readiness")}
        assert asked == {"startup": "/healthz", "liveness": "/healthz", "readiness": "/readyz"}
        told = {one["name"]: one["value"] for one in container["env"]}
        drain, grace = (int(told[f"FULLHOUSE_{name}_SECONDS"]) for name in ("DRAIN", "SHUTDOWN_GRACE"))
        readiness = container["readinessProbe"]
        assert drain > readiness["periodSeconds"] * readiness["failureThreshold"]
        assert pod["terminationGracePeriodSeconds"] > drain + grace

    def test_disruption_budgets_and_autoscalers_mean_pods_that_exist(self, path: Path) -> None:
        deployments = of_kind(path, "Deployment")
        budgets = of_kind(path, "PodDisruptionBudget")
        assert set(budgets) == set(deployments)
        for name, budget in budgets.items():
            labels = deployments[name]["spec"]["template"]["metadata"]["labels"]
            assert budget["spec"]["selector"]["matchLabels"].items() <= labels.items()
            assert budget["spec"]["maxUnavailable"] == 1
        for name, scaler in of_kind(path, "HorizontalPodAutoscaler").items():
            assert scaler["spec"]["scaleTargetRef"]["name"] == name
            assert scaler["spec"]["minReplicas"] >= 2
            # Who scales says how many there are; a number here would fight with it at each upgrade.
            assert "replicas" not in deployments[name]["spec"]

    def test_service_reaches_the_api(self, path: Path) -> None:
        ((name, service),) = of_kind(path, "Service").items()
        deployment = of_kind(path, "Deployment")[name]["spec"]["template"]
        assert service["spec"]["selector"].items() <= deployment["metadata"]["labels"].items()
        ports = {port["name"] for port in deployment["spec"]["containers"][0]["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports


def test_autoscaling_looks_at_the_processor_of_the_api_and_at_the_age_of_messages() -> None:
    assert [path.stem for path in RENDERED] == ["all", "default"]
    everything, default = RENDERED
    metrics = {
        name: [metric.get("external", metric.get("resource")) for metric in scaler["spec"]["metrics"]]
        for name, scaler in of_kind(everything, "HorizontalPodAutoscaler").items()
    }
    assert [one["name"] for one in metrics["fullhouse-api"]] == ["cpu"]
    assert [one["metric"]["name"] for one in metrics["fullhouse-worker"]] == [
        "fullhouse_outbox_oldest_seconds",
        "fullhouse_queue_oldest_seconds",
    ]
    assert set(of_kind(default, "HorizontalPodAutoscaler")) == {"fullhouse-api"}
    (ingress,) = of_kind(everything, "Ingress").values()
    (rule,) = ingress["spec"]["rules"]
    for_the_cluster = {"/metrics", "/readyz", "/healthz"}
    passed_on = {path["path"] for path in rule["http"]["paths"]}
    assert not for_the_cluster & passed_on
    # Every page is reached, also one that came since the chart was written.
    paths = {context.path or "" for router in OWN_ROUTERS for context in iter_route_contexts(router.routes)}
    assert {"/" + path.split("/")[1] for path in paths} - for_the_cluster - passed_on == set()


def test_only_the_job_that_migrates_signs_in_as_the_owner_of_the_tables() -> None:
    owner_url = "FULLHOUSE_DATABASE_OWNER_URL"
    assert [name for name in OURS if owner_url in SERVICES[name]["environment"]] == ["migrate"]
    urls = {name: SERVICES[name]["environment"]["FULLHOUSE_DATABASE_URL"] for name in OURS}
    assert all("//fullhouse_program:" in url for url in urls.values())
    everything, default = RENDERED
    secrets = {
        path: {name: [one["secretRef"]["name"] for one in pod["containers"][0]["envFrom"]] for name, pod in pods(path)}
        for path in (everything, default)
    }
    assert secrets[everything] == {
        "fullhouse-api": ["fullhouse", "fullhouse-api"],
        "fullhouse-worker": ["fullhouse", "fullhouse-worker"],
        "fullhouse-migrate": ["fullhouse", "fullhouse-owner"],
    }
    assert {tuple(names) for names in secrets[default].values()} == {("fullhouse",)}
