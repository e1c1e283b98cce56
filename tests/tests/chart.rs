//! The chart: what it renders, what it refuses, and what a real API server says of it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail the test")]

mod helm;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use helm::{ALL_ON, NAMESPACE, helm as run_helm, kubectl, render, title};
use kube::Client;
use kube::api::PatchParams;
use octroi_plan::GUARDS;
use octroi_tests::crds::{self, Project};
use octroi_tests::light::LightLab;
use octroi_tests::{manifest, strict};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

const ALWAYS: [&str; 24] = [
    "ClusterRole/octroi-gateway-view",
    "ClusterRole/octroi-operator",
    "ClusterRole/octroi-tenant-admin",
    "ClusterRole/octroi-tenant-edit",
    "ClusterRole/octroi-tenant-view",
    "ClusterRole/octroi-viewer",
    "ClusterRoleBinding/octroi-operator",
    "Deployment/octroi",
    "Deployment/octroi-waf",
    "MutatingAdmissionPolicy/octroi-default-parent",
    "MutatingAdmissionPolicyBinding/octroi-default-parent",
    "Namespace/octroi-gateways",
    "NetworkPolicy/octroi",
    "NetworkPolicy/octroi-waf",
    "PodDisruptionBudget/octroi",
    "PodDisruptionBudget/octroi-waf",
    "Role/octroi-operator",
    "Role/octroi-waf",
    "RoleBinding/octroi-operator",
    "RoleBinding/octroi-waf",
    "Service/octroi-metrics",
    "Service/octroi-waf",
    "ServiceAccount/octroi",
    "ServiceAccount/octroi-waf",
];

/// Beside the guards, what outlives the release: traffic, guards or tenants' rights hang on it.
const KEPT: [&str; 18] = [
    "ClusterRole/octroi-gateway-view",
    "ClusterRole/octroi-tenant-admin",
    "ClusterRole/octroi-tenant-edit",
    "ClusterRole/octroi-tenant-view",
    "Deployment/octroi-waf",
    "GatewayClass/octroi-envoy-gateway",
    "GatewayClass/octroi-kgateway",
    "GatewayParameters/octroi-kgateway",
    "HorizontalPodAutoscaler/octroi-waf",
    "MutatingAdmissionPolicy/octroi-default-parent",
    "MutatingAdmissionPolicyBinding/octroi-default-parent",
    "Namespace/octroi-gateways",
    "NetworkPolicy/octroi-waf",
    "PodDisruptionBudget/octroi-waf",
    "Role/octroi-waf",
    "RoleBinding/octroi-waf",
    "Service/octroi-waf",
    "ServiceAccount/octroi-waf",
];

/// What no member of a tenant may write, by group; each would undo what the platform built.
const NEVER_WRITTEN: [(&str, &[&str]); 7] = [
    ("", &["namespaces", "resourcequotas", "limitranges", "endpoints", "events", "nodes", "persistentvolumes"]),
    ("discovery.k8s.io", &["endpointslices"]),
    ("networking.k8s.io", &["ingresses", "networkpolicies"]),
    ("rbac.authorization.k8s.io", &["roles", "rolebindings"]),
    ("gateway.networking.k8s.io", &["gateways", "listenersets", "referencegrants", "backendtlspolicies"]),
    ("cert-manager.io", &["certificates", "certificaterequests", "issuers"]),
    ("apps", &["controllerrevisions"]),
];
/// Groups of which a member writes nothing at all.
const NEVER_GROUPS: [&str; 9] = [
    "octroi.dev",
    "gateway.networking.x-k8s.io",
    "externaldns.k8s.io",
    "networking.istio.io",
    "gateway.envoyproxy.io",
    "gateway.kgateway.dev",
    "agentgateway.dev",
    "cert-manager.io",
    "acme.cert-manager.io",
];

#[test]
fn lint_is_strict_and_clean() {
    run_helm(None, &["lint", "--strict", "."]).ok();
    run_helm(None, &["lint", "--strict", ".", "--set", ALL_ON]).ok();
}

#[test]
fn a_template_needs_no_cluster_and_each_switch_adds_its_own_kind() {
    assert_eq!(titles(""), with_guards(&ALWAYS));
    let off = "podDisruptionBudget.enabled=false,networkPolicy.enabled=false";
    let gone = [
        "NetworkPolicy/octroi",
        "NetworkPolicy/octroi-waf",
        "PodDisruptionBudget/octroi",
        "PodDisruptionBudget/octroi-waf",
    ]
    .map(String::from);
    assert_eq!(&titles("") - &titles(off), BTreeSet::from(gone));
    let more = [
        "ConfigMap/octroi-dashboard",
        "GatewayClass/octroi-envoy-gateway",
        "GatewayClass/octroi-kgateway",
        "GatewayParameters/octroi-kgateway",
        "HorizontalPodAutoscaler/octroi-waf",
        "PodMonitor/octroi-proxies",
        "PrometheusRule/octroi",
        "ServiceMonitor/octroi",
        "ServiceMonitor/octroi-waf",
    ];
    assert_eq!(&titles(ALL_ON) - &titles(""), BTreeSet::from(more.map(String::from)));
}

#[test]
fn a_wrong_value_is_refused_by_name() {
    let digest = "image.digest=sha256:0";
    let cases = [
        ("replcas=3", "additional properties 'replcas' not allowed"),
        ("image.tagg=1", "at '/image': additional properties 'tagg' not allowed"),
        ("networkPolicy.enable=true", "at '/networkPolicy': additional properties 'enable' not allowed"),
        ("gatewayClasses.kgatway.create=true", "additional properties 'kgatway' not allowed"),
        ("gatewayClasses.kgateway.creat=true", "additional properties 'creat' not allowed"),
        ("tolerations[0].kee=x", "at '/tolerations/0': additional properties 'kee' not allowed"),
        ("affinity.podAfinity.x=y", "additional properties 'podAfinity' not allowed"),
        ("resources.limit.memory=1Gi", "at '/resources': additional properties 'limit' not allowed"),
        ("resources.limits.memory=1GB", "at '/resources/limits/memory'"),
        ("replicas=0", "at '/replicas': minimum: got 0, want 1"),
        ("waf.replicas.min=0", "at '/waf/replicas/min': minimum: got 0, want 1"),
        ("waf.replicas.min=3", "waf.replicas.min is above waf.replicas.max: raise max"),
        ("waf.enabled=false", "at '/waf': additional properties 'enabled' not allowed"),
        ("replicas=two", "at '/replicas': got string, want integer"),
        ("logging.format=xml", "at '/logging/format': value must be one of 'json', 'text'"),
        ("image.pullPolicy=always", "at '/image/pullPolicy': value must be one of"),
        ("image.repository=", "at '/image/repository'"),
        (digest, "at '/image/digest'"),
        ("serviceMonitor.enabled=yes", "at '/serviceMonitor/enabled': got string, want boolean"),
        ("serviceMonitor.interval=30", "at '/serviceMonitor/interval'"),
        ("monitoring.rule.enabled=true", "at '/monitoring': additional properties 'rule' not allowed"),
        ("monitoring.rules.enabled=yes", "at '/monitoring/rules/enabled': got string, want boolean"),
        ("monitoring.rules.runbookBase=docs", "at '/monitoring/rules/runbookBase'"),
        ("monitoring.podMonitor.interval=30", "at '/monitoring/podMonitor/interval'"),
        ("monitoring.dashboard.label.a=b", "at '/monitoring/dashboard': additional properties 'label' not allowed"),
        ("podDisruptionBudget.maxUnavailable=0", "at '/podDisruptionBudget/maxUnavailable'"),
        ("gatewayClasses.envoyGateway.name=Octroi", "at '/gatewayClasses/envoyGateway/name'"),
        ("gatewayClasses.envoyGateway.controllerName=envoy", "at '/gatewayClasses/envoyGateway/controllerName'"),
        ("dataPlanes.kgateway.namespace=", "at '/dataPlanes/kgateway/namespace'"),
        ("dataPlanes.envoyGateway.configMap=a/b", "at '/dataPlanes/envoyGateway/configMap'"),
        ("dataPlanes.istio.namespace=a", "at '/dataPlanes': additional properties 'istio' not allowed"),
        ("admission.breakGlassGroup=a' in b || 'a", "at '/admission/breakGlassGroup'"),
        ("admission.breakGlassGroup=system:authenticated", "at '/admission/breakGlassGroup'"),
        ("gatewaysNamespace=edge", "additional properties 'gatewaysNamespace' not allowed"),
    ];
    for (set, says) in cases {
        let ran = run_helm(None, &["template", "octroi", ".", "--set", set]);
        assert!(ran.code != Some(0) && ran.err.contains(says), "{set}: wanted {says:?}, got {ran:?}");
    }
}

#[test]
fn the_image_is_a_tag_or_a_digest() {
    let image = |set: &str| {
        find(&render(set), "Deployment/octroi")["spec"]["template"]["spec"]["containers"][0]["image"].clone()
    };
    let digest = format!("sha256:{}", "a".repeat(64));
    assert_eq!(image(""), "localhost/octroi:0.1.0");
    assert_eq!(image("image.repository=reg.example:5000/octroi,image.tag=1.2"), "reg.example:5000/octroi:1.2");
    assert_eq!(image(&format!("image.tag=1.2,image.digest={digest}")), format!("localhost/octroi@{digest}"));
}

#[test]
fn the_operator_is_told_where_the_settings_of_the_data_planes_are() {
    let told = |set: &str, flag: &str| {
        let objects = render(set);
        let args = find(&objects, "Deployment/octroi")["spec"]["template"]["spec"]["containers"][0]["args"].clone();
        let args = strings(&args);
        args.iter().skip_while(|arg| *arg != flag).nth(1).cloned()
    };
    assert_eq!(told("", "--envoy-gateway").as_deref(), Some("envoy-gateway-system/envoy-gateway-config"));
    assert_eq!(told("", "--kgateway").as_deref(), Some("kgateway-system/kgateway"));
    let elsewhere = "dataPlanes.kgateway.namespace=edge,dataPlanes.kgateway.deployment=kg";
    assert_eq!(told(elsewhere, "--kgateway").as_deref(), Some("edge/kg"));
}

#[test]
fn the_chart_brings_rules_and_dashboard_as_their_files_have_them() {
    let read = |name: &str| std::fs::read_to_string(helm::chart().join(name)).unwrap();
    let objects = render(&format!("{ALL_ON},monitoring.rules.runbookBase=https://git.example/octroi/"));
    let rules = &find(&objects, "PrometheusRule/octroi")["spec"];
    let file = manifest::parse(&read("rules/octroi.yaml")).unwrap().remove(0).object;
    let of_file = file.to_string().replace("docs/operations.md#", "https://git.example/octroi/docs/operations.md#");
    assert_eq!(rules.to_string(), of_file);
    let dashboard = find(&objects, "ConfigMap/octroi-dashboard");
    assert_eq!(dashboard["metadata"]["labels"]["grafana_dashboard"], "1");
    let shown: Value = serde_json::from_str(dashboard["data"]["octroi.json"].as_str().unwrap()).unwrap();
    assert_eq!(shown, serde_json::from_str::<Value>(&read("dashboards/octroi.json")).unwrap());
}

/// A tenant's pod may have any label, and says what it likes.
#[test]
fn only_proxies_where_the_platform_alone_writes_are_scraped() {
    let objects = render(ALL_ON);
    let endpoints = &find(&objects, "PodMonitor/octroi-proxies")["spec"]["podMetricsEndpoints"];
    let endpoints = endpoints.as_array().unwrap();
    assert_eq!(endpoints.len(), 2);
    for endpoint in endpoints {
        let kept = json!({"sourceLabels": ["__meta_kubernetes_namespace"], "regex": "octroi-gateways|gw-.+", "action": "keep"});
        assert_eq!(endpoint["relabelings"], json!([kept]));
    }
}

#[test]
fn what_traffic_and_guards_hang_on_is_kept_and_nothing_else() {
    let kept = |object: &&Value| object["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep";
    let found: BTreeSet<_> = render(ALL_ON).iter().filter(kept).map(title).collect();
    assert_eq!(found, with_guards(&KEPT));
}

#[test]
fn no_role_has_a_wildcard_or_aggregates() {
    for object in render(ALL_ON).iter().filter(|object| object["rules"].is_array()) {
        assert!(!object.to_string().contains("\"*\""), "{}", title(object));
        assert!(object.get("aggregationRule").is_none(), "{}", title(object));
        let labels = object["metadata"]["labels"].to_string();
        assert!(!labels.contains("aggregate-to"), "{}", title(object));
    }
}

#[test]
fn a_member_writes_nothing_that_undoes_the_platform() {
    let objects = render(ALL_ON);
    for role in ["octroi-tenant-view", "octroi-tenant-edit", "octroi-tenant-admin", "octroi-gateway-view"] {
        let rights = rights(find(&objects, &format!("ClusterRole/{role}")));
        let writes: BTreeMap<_, _> =
            rights.iter().filter(|(_, verbs)| verbs.iter().any(|verb| !is_read(verb))).collect();
        for (group, resources) in NEVER_WRITTEN {
            for resource in resources {
                let touched = writes
                    .keys()
                    .find(|(g, r)| g == group && (r == resource || r.starts_with(&format!("{resource}/"))));
                assert_eq!(touched, None, "{role}");
            }
        }
        assert!(!writes.keys().any(|(group, _)| NEVER_GROUPS.contains(&group.as_str())), "{role}: {writes:?}");
        assert!(!writes.keys().any(|(_, resource)| resource.ends_with("/status")), "{role}: {writes:?}");
        let powers = ["bind", "escalate", "impersonate", "approve", "sign"];
        assert!(!rights.values().flatten().any(|verb| powers.contains(&verb.as_str())), "{role}");
        let secrets = rights.keys().any(|(group, resource)| group.is_empty() && resource == "secrets");
        assert_eq!(secrets, role == "octroi-tenant-edit" || role == "octroi-tenant-admin", "{role} and Secrets");
        let tokens = rights.contains_key(&(String::new(), "serviceaccounts/token".to_owned()));
        assert_eq!(tokens, role == "octroi-tenant-admin", "{role} and tokens");
        let reads_only = writes.is_empty();
        assert_eq!(reads_only, role.ends_with("-view"), "{role}: {writes:?}");
    }
}

#[test]
fn the_platforms_viewer_only_reads_and_no_secret() {
    let rights = rights(find(&render(""), "ClusterRole/octroi-viewer"));
    assert!(rights.values().flatten().all(|verb| is_read(verb)), "{rights:?}");
    let kept_out = ["secrets", "configmaps", "pods", "pods/log", "serviceaccounts/token"];
    assert!(!rights.keys().any(|(_, resource)| kept_out.contains(&resource.as_str())), "{rights:?}");
    for (group, resource) in [("octroi.dev", "tenants"), ("gateway.networking.k8s.io", "listenersets")] {
        assert!(rights.contains_key(&(group.to_owned(), resource.to_owned())), "{group} {resource}");
    }
}

#[test]
fn each_role_holds_the_one_below_it() {
    let objects = render("");
    let of = |role: &str| rights(find(&objects, &format!("ClusterRole/octroi-tenant-{role}")));
    for (low, high) in [("view", "edit"), ("edit", "admin")] {
        let (low, high) = (of(low), of(high));
        assert!(low.iter().all(|(what, verbs)| high.get(what).is_some_and(|more| verbs.is_subset(more))));
        assert_ne!(low, high);
    }
}

#[tokio::test]
async fn every_object_is_accepted_under_strict_validation() {
    let (lab, installed) = lab_with_crds().await;
    let client = lab.client().unwrap();
    let params = PatchParams::apply("test").force().validation_strict().dry_run();
    let mut accepted = 0;
    for object in render(ALL_ON) {
        let missing = match object["apiVersion"].as_str() {
            Some("gateway.kgateway.dev/v1alpha1") => installed.absent(Project::Kgateway).map(ToString::to_string),
            Some("monitoring.coreos.com/v1") => Some("the Prometheus Operator is no part of the lab".into()),
            _ => None,
        };
        if let Some(why) = missing {
            println!("skipped: {}: {why}", title(&object));
            continue;
        }
        strict::apply(&client, &object, &params).await.unwrap_or_else(|error| panic!("{error}"));
        accepted += 1;
    }
    println!("{accepted} objects accepted");
}

#[tokio::test]
async fn the_pods_are_admitted_where_restricted_is_enforced() {
    let (lab, _) = lab_with_crds().await;
    let client = lab.client().unwrap();
    let labels = json!({"pod-security.kubernetes.io/enforce": "restricted"});
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "strict", "labels": labels}});
    helm::apply(&client, &namespace).await;
    for deployment in ["octroi", "octroi-waf"] {
        is_admitted(&client, deployment).await;
    }
}

async fn is_admitted(client: &Client, deployment: &str) {
    let account =
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": deployment, "namespace": "strict"}});
    helm::apply(client, &account).await;
    let mut pod = find(&render(""), &format!("Deployment/{deployment}"))["spec"]["template"].clone();
    pod["apiVersion"] = json!("v1");
    pod["kind"] = json!("Pod");
    pod["metadata"] = json!({"name": deployment, "namespace": "strict"});
    helm::apply(client, &pod).await;

    pod["metadata"]["name"] = json!("lax");
    pod["spec"]["containers"][0]["securityContext"] = json!({});
    let refused = strict::apply_strict(client, &pod).await.unwrap_err();
    assert!(refused.api_message().contains("restricted"), "{refused}");
}

#[tokio::test]
async fn uninstall_and_install_again_take_back_what_was_kept() {
    let lab = LightLab::start().await.unwrap_or_else(|error| panic!("{error}"));
    let projects = [Project::GatewayApi, Project::EnvoyGateway];
    crds::install(&lab.client().unwrap(), &projects).await.unwrap_or_else(|error| panic!("{error}"));
    let on_cluster = |args: &[&str]| run_helm(Some(lab.kubeconfig()), args);
    let install = [
        "install",
        "octroi",
        ".",
        "-n",
        NAMESPACE,
        "--create-namespace",
        "--set",
        "gatewayClasses.envoyGateway.create=true,waf.replicas.max=4",
    ];
    // Of what is kept, the firewall alone lies in a namespace.
    let uid = |what: &str| {
        kubectl(lab.kubeconfig(), &["-n", "octroi-gateways", "get", what, "-o", "jsonpath={.metadata.uid}"]).ok()
    };

    let notes = on_cluster(&install).ok();
    assert!(notes.contains("kind: TenantClass") && notes.contains("gatewayClassName: octroi-envoy-gateway"), "{notes}");
    assert!(notes.contains("still lacks") && notes.contains("cert-manager"), "{notes}");
    let kept = with_guards(&KEPT);
    let kept = kept.iter().filter(|name| !name.contains("octroi-kgateway"));
    let before: Vec<_> = kept.clone().map(|name| uid(name)).collect();

    on_cluster(&["uninstall", "octroi", "-n", NAMESPACE]).ok();
    assert_ne!(kubectl(lab.kubeconfig(), &["-n", NAMESPACE, "get", "deployment/octroi"]).code, Some(0));
    on_cluster(&install).ok();

    assert_eq!(before, kept.map(|name| uid(name)).collect::<Vec<_>>());
    kubectl(lab.kubeconfig(), &["-n", NAMESPACE, "get", "deployment/octroi"]).ok();
    on_cluster(&["upgrade", "octroi", ".", "-n", NAMESPACE, "--set", "replicas=3"]).ok();
}

#[tokio::test]
async fn the_operator_binds_the_tenants_roles_and_no_other() {
    let (lab, _) = lab_with_crds().await;
    let client = lab.client().unwrap();
    for object in render("") {
        if matches!(manifest::kind(&object), "ClusterRole" | "ClusterRoleBinding" | "ServiceAccount") {
            helm::apply(&client, &object).await;
        }
    }
    let operator = format!("--as=system:serviceaccount:{NAMESPACE}:octroi");
    let bind = |role: &str| {
        let role_arg = format!("--clusterrole={role}");
        kubectl(
            lab.kubeconfig(),
            &["-n", "default", "create", "rolebinding", role, &role_arg, "--group=acme-devs", &operator],
        )
    };
    for role in ["octroi-tenant-view", "octroi-tenant-edit", "octroi-tenant-admin", "octroi-gateway-view"] {
        bind(role).ok();
    }
    for role in ["cluster-admin", "admin", "edit", "view"] {
        let refused = bind(role);
        assert!(refused.err.contains("attempting to grant RBAC permissions not currently held"), "{role}: {refused:?}");
    }
    let may = |who: &str, verb: &str, what: &str| can(lab.kubeconfig(), who, verb, what);
    assert!(!may(&operator, "get", "secrets") && !may(&operator, "list", "secrets"));
    assert!(may("--as=dev --as-group=acme-devs", "create", "httproutes.gateway.networking.k8s.io"));
    assert!(may("--as=dev --as-group=acme-devs", "create", "serviceaccounts/token"));
    assert!(!may("--as=dev --as-group=acme-devs", "create", "gateways.gateway.networking.k8s.io"));
    assert!(!may("--as=dev --as-group=acme-devs", "create", "rolebindings.rbac.authorization.k8s.io"));
}

fn can(kubeconfig: &Path, who: &str, verb: &str, what: &str) -> bool {
    let mut args = vec!["-n", "default", "auth", "can-i", verb, what, "-q"];
    args.extend(who.split(' '));
    kubectl(kubeconfig, &args).code == Some(0)
}

/// The shared lab with the CRDs of the data planes, and the namespaces that objects of the chart lie in.
async fn lab_with_crds() -> (&'static LightLab, &'static crds::Installed) {
    static INSTALLED: OnceCell<crds::Installed> = OnceCell::const_new();
    let lab = LightLab::shared().await.unwrap_or_else(|error| panic!("{error}"));
    let install = async || {
        let client = lab.client().unwrap();
        for name in [NAMESPACE, "octroi-gateways"] {
            let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
            helm::apply(&client, &namespace).await;
        }
        let projects = [Project::GatewayApi, Project::Kgateway];
        crds::install(&client, &projects).await.unwrap_or_else(|error| panic!("{error}"))
    };
    (lab, INSTALLED.get_or_init(install).await)
}

fn with_guards(others: &[&str]) -> BTreeSet<String> {
    let bindings = |guard: &str| match guard {
        "octroi-gateways" => vec![format!("{guard}-shared"), format!("{guard}-tenants")],
        _ => vec![guard.to_owned()],
    };
    let policies = GUARDS.iter().map(|guard| format!("ValidatingAdmissionPolicy/{guard}"));
    let bindings = GUARDS.iter().flat_map(|guard| bindings(guard));
    let bindings = bindings.map(|name| format!("ValidatingAdmissionPolicyBinding/{name}"));
    others.iter().map(ToString::to_string).chain(policies).chain(bindings).collect()
}

fn titles(set: &str) -> BTreeSet<String> {
    render(set).iter().map(title).collect()
}

fn find<'a>(objects: &'a [Value], wanted: &str) -> &'a Value {
    objects.iter().find(|object| title(object) == wanted).unwrap_or_else(|| panic!("{wanted} is not rendered"))
}

fn is_read(verb: &str) -> bool {
    matches!(verb, "get" | "list" | "watch")
}

/// (group, resource) to verbs.
fn rights(role: &Value) -> BTreeMap<(String, String), BTreeSet<String>> {
    let mut all: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
    for rule in role["rules"].as_array().unwrap() {
        for group in strings(&rule["apiGroups"]) {
            for resource in strings(&rule["resources"]) {
                all.entry((group.clone(), resource)).or_default().extend(strings(&rule["verbs"]));
            }
        }
    }
    all
}

fn strings(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|item| item.as_str().unwrap().to_owned()).collect()
}
