//! One line of a table: who writes what, and what the API server says.

use std::path::Path;

use kube::Client;
use kube::api::{DeleteParams, DynamicObject, PostParams};
use octroi_tests::{manifest, strict};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::world::World;

/// Where an object is that names no namespace.
pub const HOME: &str = "acme-prod";

/// A case. With `object` alone it is a create, with `was` alone a delete, with both an update.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What it is about, in words.
    #[serde(rename = "case")]
    pub about: String,
    /// The guard that refuses it; absent when it is admitted.
    pub guard: Option<String>,
    /// A part of the message.
    pub says: Option<String>,
    /// The user; else the developer `dev`.
    #[serde(default = "developer")]
    pub user: String,
    /// What was there before, put there by break-glass.
    pub was: Option<Value>,
    /// What is written.
    pub object: Option<Value>,
    /// A subresource that is written in place of the object.
    pub subresource: Option<String>,
}

fn developer() -> String {
    "dev".into()
}

impl Case {
    /// Every case of a file beside this one, once for each served version of a route's kind.
    pub fn read(file: &str) -> Vec<Self> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/guards/cases").join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        let cases: Vec<Self> = serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}"));
        cases.into_iter().enumerate().map(|(number, case)| case.completed(number)).collect()
    }

    /// Names and namespaces that the author left out. Namespaces go slowly, so each case has its own.
    fn completed(mut self, number: usize) -> Self {
        let lasting = self.was.is_some();
        for object in [&mut self.was, &mut self.object].into_iter().flatten() {
            let kind = manifest::kind(object).to_owned();
            let metadata = &mut object["metadata"];
            if metadata["name"].is_null() {
                metadata["name"] = json!(format!("case-{number}"));
            }
            if kind == "Namespace" && lasting {
                metadata["name"] = json!(format!("{}-{number}", metadata["name"].as_str().unwrap_or_default()));
            }
            if metadata["namespace"].is_null() && !is_cluster_scoped(&kind) {
                metadata["namespace"] = json!(HOME);
            }
            if object["apiVersion"].is_null() {
                object["apiVersion"] = json!(api_version(&kind));
            }
        }
        self
    }

    /// The same in another version of its API.
    pub fn in_version(&self, version: &str) -> Self {
        let mut other = self.clone();
        for object in [&mut other.was, &mut other.object].into_iter().flatten() {
            let group = object["apiVersion"].as_str().unwrap().split('/').next().unwrap().to_owned();
            object["apiVersion"] = json!(format!("{group}/{version}"));
        }
        other
    }

    /// The object that it is about.
    pub fn subject(&self) -> &Value {
        self.object.as_ref().or(self.was.as_ref()).unwrap_or_else(|| panic!("{}: about nothing", self.about))
    }

    /// Carries it out as a dry run, which admission judges like any other.
    ///
    /// # Errors
    /// What the API server said.
    pub async fn run(&self, world: &World) -> Result<(), String> {
        let before = match &self.was {
            Some(was) => Some(created(&world.rescue, was).await),
            None => None,
        };
        let outcome = self.attempt(&world.client(&self.user).await, before.as_ref()).await;
        if let Some(was) = &self.was {
            let api = strict::endpoint(&world.rescue, was).await.unwrap();
            api.delete(manifest::name(was), &DeleteParams::default()).await.unwrap();
        }
        outcome
    }

    async fn attempt(&self, client: &Client, before: Option<&DynamicObject>) -> Result<(), String> {
        let api = strict::endpoint(client, self.subject()).await.unwrap();
        let name = manifest::name(self.subject());
        let params = PostParams { dry_run: true, ..PostParams::default() };
        let said = |error: kube::Error| match error {
            kube::Error::Api(status) => status.message,
            other => other.to_string(),
        };
        let Some(object) = &self.object else {
            return api.delete(name, &DeleteParams::default().dry_run()).await.map(drop).map_err(said);
        };
        let mut object: DynamicObject = serde_json::from_value(object.clone()).unwrap();
        let Some(before) = before else {
            return api.create(&params, &object).await.map(drop).map_err(said);
        };
        object.metadata.uid.clone_from(&before.metadata.uid);
        loop {
            object.metadata.resource_version = api.get(name).await.unwrap().metadata.resource_version;
            let outcome = match &self.subresource {
                None => api.replace(name, &params, &object).await.map(drop),
                Some(part) => api.replace_subresource::<DynamicObject>(part, name, &params, &object).await.map(drop),
            };
            match outcome {
                // A controller was quicker.
                Err(kube::Error::Api(status)) if status.is_conflict() => {}
                other => return other.map_err(said),
            }
        }
    }
}

/// Creates an object, whatever is there by that name.
pub async fn created(client: &Client, object: &Value) -> DynamicObject {
    let api = strict::endpoint(client, object).await.unwrap();
    let object: DynamicObject = serde_json::from_value(object.clone()).unwrap();
    let title = format!("{:?} {:?}", object.types, object.metadata.name);
    loop {
        match api.create(&PostParams::default(), &object).await {
            // Two Services at once may be given one address by the API server itself, which refuses the second.
            Err(kube::Error::Api(status)) if status.message.contains("provided IP is already allocated") => {}
            other => return other.unwrap_or_else(|error| panic!("{title}: {error}")),
        }
    }
}

fn is_cluster_scoped(kind: &str) -> bool {
    let kinds = ["Namespace", "Tenant", "TenantClass", "DomainClaim", "PortClaim", "ClusterRole", "ClusterRoleBinding"];
    kinds.contains(&kind) || matches!(kind, "GatewayClass" | "ClusterIssuer")
}

fn api_version(kind: &str) -> &'static str {
    match kind {
        "HTTPRoute" | "GRPCRoute" | "TLSRoute" | "TCPRoute" | "UDPRoute" | "Gateway" | "GatewayClass"
        | "ListenerSet" | "ReferenceGrant" | "BackendTLSPolicy" => "gateway.networking.k8s.io/v1",
        "Tenant" | "TenantClass" | "DomainClaim" | "PortClaim" => "octroi.dev/v1alpha1",
        "Role" | "RoleBinding" | "ClusterRole" | "ClusterRoleBinding" => "rbac.authorization.k8s.io/v1",
        "Ingress" | "NetworkPolicy" => "networking.k8s.io/v1",
        "EndpointSlice" => "discovery.k8s.io/v1",
        "Deployment" => "apps/v1",
        "Certificate" | "Issuer" | "ClusterIssuer" | "CertificateRequest" => "cert-manager.io/v1",
        "BackendTrafficPolicy"
        | "SecurityPolicy"
        | "EnvoyExtensionPolicy"
        | "EnvoyPatchPolicy"
        | "ClientTrafficPolicy"
        | "EnvoyProxy"
        | "HTTPRouteFilter" => "gateway.envoyproxy.io/v1alpha1",
        "TrafficPolicy"
        | "GatewayExtension"
        | "DirectResponse"
        | "GatewayParameters"
        | "ListenerPolicy"
        | "BackendConfigPolicy" => "gateway.kgateway.dev/v1alpha1",
        _ => "v1",
    }
}
