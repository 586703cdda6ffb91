"""The Kubernetes manifests: valid by the schemas of old and new versions, and locked down."""

from __future__ import annotations

import copy
import ipaddress
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from cds_service.settings import Settings
from cds_service.trust.clients import load_clients
from hooks import TOPIC

FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "kubernetes"
OLDEST = "1.29"  # grace periods, spread constraints and probes as used here are all stable in it
NEWEST = kubernetes_validate.latest_version()
USER = 10001


def _documents() -> list[tuple[str, dict[str, Any]]]:
    return [
        (path.name, document)
        for path in sorted(FOLDER.glob("*.yaml"))
        if path.name != "kustomization.yaml"  # read by kubectl itself, not by a cluster
        for document in yaml.safe_load_all(path.read_text(encoding="utf-8"))
    ]


DOCUMENTS = _documents()


def _only(kind: str) -> dict[str, Any]:
    (document,) = [document for _, document in DOCUMENTS if document["kind"] == kind]
    return document


@pytest.fixture
def deployment() -> dict[str, Any]:
    return _only("Deployment")


@pytest.fixture
def pod(deployment: dict[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = deployment["spec"]["template"]["spec"]
    return spec


@pytest.fixture
def container(pod: dict[str, Any]) -> dict[str, Any]:
    (only_container,) = pod["containers"]
    return dict(only_container)


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize(
    "document", [pytest.param(d, id=f"{name}-{d['kind']}") for name, d in DOCUMENTS]
)
def test_is_legal_by_the_schema_of(version: str, document: dict[str, Any]) -> None:
    kubernetes_validate.validate(document, version, strict=True)


def test_a_misspelt_field_is_refused(deployment: dict[str, Any]) -> None:
    broken = copy.deepcopy(deployment)
    container = broken["spec"]["template"]["spec"]["containers"][0]
    container["livenessprobe"] = container.pop("livenessProbe")
    with pytest.raises(kubernetes_validate.ValidationError, match="livenessprobe"):
        kubernetes_validate.validate(broken, NEWEST, strict=True)


def test_everything_but_examples_and_the_autoscaler_is_applied_by_the_kustomization() -> None:
    kustomization = yaml.safe_load((FOLDER / "kustomization.yaml").read_text(encoding="utf-8"))
    files = {name for name, _ in DOCUMENTS if ".example." not in name}
    assert set(kustomization["resources"]) == files - {"autoscaler.yaml"}


def test_every_object_is_in_the_one_namespace() -> None:
    namespace = _only("Namespace")["metadata"]["name"]
    others = [document for _, document in DOCUMENTS if document["kind"] != "Namespace"]
    assert {document["metadata"]["namespace"] for document in others} == {namespace}


def test_pods_satisfy_the_restricted_standard_that_the_namespace_enforces(
    pod: dict[str, Any], container: dict[str, Any]
) -> None:
    labels = _only("Namespace")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == USER
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["automountServiceAccountToken"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
    assert all("hostPath" not in volume for volume in pod["volumes"])


def test_writable_folders_are_mounted_and_limited_in_size(
    pod: dict[str, Any], container: dict[str, Any]
) -> None:
    mounted = {
        mount["mountPath"]: mount["name"]
        for mount in container["volumeMounts"]
        if "readOnly" not in mount
    }
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert mounted.keys() == {"/tmp", "/data"}
    assert all(volumes[name]["emptyDir"]["sizeLimit"] for name in mounted.values())


def test_a_pod_receives_traffic_when_ready_even_during_a_database_outage(
    container: dict[str, Any],
) -> None:
    assert container["startupProbe"]["httpGet"]["path"] == "/healthz"
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    for probe in ("livenessProbe", "startupProbe", "readinessProbe"):
        assert container[probe]["httpGet"]["port"] in ports


def test_a_rolling_restart_keeps_all_replicas_and_leaves_time_to_finish(
    deployment: dict[str, Any], pod: dict[str, Any], container: dict[str, Any]
) -> None:
    assert deployment["spec"]["replicas"] >= 2
    assert deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    _, pause = container["lifecycle"]["preStop"]["exec"]["command"]
    assert pod["terminationGracePeriodSeconds"] >= int(pause) + 30
    assert _only("PodDisruptionBudget")["spec"]["minAvailable"] < deployment["spec"]["replicas"]


def test_processor_and_memory_are_requested_and_limited(container: dict[str, Any]) -> None:
    for share in ("requests", "limits"):
        assert {"cpu", "memory"} <= container["resources"][share].keys()


def test_all_selectors_match_the_pods_of_the_deployment(deployment: dict[str, Any]) -> None:
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"] == labels
    assert _only("Service")["spec"]["selector"] == labels
    assert _only("PodDisruptionBudget")["spec"]["selector"]["matchLabels"] == labels
    assert _only("NetworkPolicy")["spec"]["podSelector"]["matchLabels"] == labels
    target = _only("HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]
    assert target["name"] == deployment["metadata"]["name"]


def test_the_network_policy_names_who_calls_in_and_what_is_called() -> None:
    spec = _only("NetworkPolicy")["spec"]
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    assert all(rule["from"] and rule["ports"] for rule in spec["ingress"])
    assert all(rule["to"] and rule["ports"] for rule in spec["egress"])
    assert {port["port"] for rule in spec["ingress"] for port in rule["ports"]} == {8000}
    assert {port["port"] for rule in spec["egress"] for port in rule["ports"]} == {53, 5432, 443}


def test_nothing_is_called_but_dns_the_database_and_servers_named_by_their_addresses() -> None:
    spec = _only("NetworkPolicy")["spec"]
    for rule in spec["egress"]:
        ports = {port["port"] for port in rule["ports"]}
        for target in rule["to"]:
            if ports == {443}:
                network = ipaddress.ip_network(target["ipBlock"]["cidr"])
                assert network.prefixlen >= 24, "a whole network is open"
            elif ports == {53}:
                assert target["podSelector"]["matchLabels"] == {"k8s-app": "kube-dns"}
            else:
                assert ports == {5432}
                assert target["namespaceSelector"]["matchLabels"]


def test_every_variable_is_a_setting_and_secrets_stay_out_of_the_config_map(
    container: dict[str, Any],
) -> None:
    known = {
        (field.alias or f"CDS_{name}").upper() for name, field in Settings.model_fields.items()
    }
    known |= {f"CDS_{option.name.upper()}" for option in TOPIC.options}
    config = _only("ConfigMap")
    secret, clients = [document for _, document in DOCUMENTS if document["kind"] == "Secret"]
    assert config["data"].keys() | secret["stringData"].keys() <= known
    assert not config["data"].keys() & {"CDS_DATABASE_URL", "CDS_CARD_KEY"}
    # No manifest opens the service to everyone.
    assert "CDS_INSECURE_OPEN" not in config["data"]
    sources = [source for entry in container["envFrom"] for source in entry.values()]
    assert [source["name"] for source in sources] == [
        config["metadata"]["name"],
        secret["metadata"]["name"],
    ]
    (mounted,) = [mount for mount in container["volumeMounts"] if mount.get("readOnly")]
    (file,) = clients["stringData"]
    assert config["data"]["CDS_TRUSTED_CLIENTS"] == f"{mounted['mountPath']}/{file}"


def test_the_example_client_list_is_accepted_by_the_service(tmp_path: Path) -> None:
    _, clients = [document for _, document in DOCUMENTS if document["kind"] == "Secret"]
    path = tmp_path / "clients.json"
    path.write_text(clients["stringData"]["clients.json"], encoding="utf-8")
    assert [client.iss for client in load_clients(str(path))] == ["https://ehr.example.org"]


def test_only_the_hooks_are_published() -> None:
    spec = _only("Ingress")["spec"]
    paths = [path["path"] for rule in spec["rules"] for path in rule["http"]["paths"]]
    assert paths == ["/cds-services"]
    assert spec["tls"][0]["hosts"] == [rule["host"] for rule in spec["rules"]]
