//! The chart's admission policies on a cluster that has no Octroi, and the switch that binds and unbinds all of them.

use std::process::Command;
use std::time::{Duration, Instant};

use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams};
use kube::{Api, Client};
use serde_json::{Value, json};

use crate::{Error, Result, manifest, script, strict};

/// Policies and bindings of this module's own, whose work is seen from outside.
const CANARY: &str = "octroi-guards-canary";
const GROUP: &str = "admissionregistration.k8s.io";
const LIMIT: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(50);

/// Members of this group pass the guards, as the run team does in an emergency.
pub const BREAK_GLASS: &str = "octroi-break-glass";

/// Every policy of the chart, stored; bound or not.
pub struct Guards {
    names: Vec<String>,
    of_routes: Vec<String>,
    /// Each with its API; the canaries' come last.
    bindings: Vec<(Api<DynamicObject>, Value)>,
    config_maps: Api<DynamicObject>,
}

impl Guards {
    /// Renders the chart and stores its policies. None is bound yet.
    ///
    /// # Errors
    /// When Helm is not built, or the API server refuses a policy.
    pub async fn install(client: &Client) -> Result<Self> {
        let mut objects = rendered().await?;
        objects.extend(canaries());
        let (bindings, policies): (Vec<_>, Vec<_>) =
            objects.into_iter().partition(|object| manifest::kind(object).ends_with("Binding"));
        for policy in &policies {
            strict::apply_strict(client, policy).await?;
        }
        let own = |policy: &&Value| manifest::name(policy) != CANARY;
        let of_routes = policies.iter().filter(|policy| judges_routes(policy));
        let of_routes = of_routes.map(|policy| manifest::name(policy).to_owned()).collect();
        let names = policies.iter().filter(own).map(|policy| manifest::name(policy).to_owned()).collect();
        let mut found = Vec::new();
        for binding in bindings {
            found.push((strict::endpoint(client, &binding).await?, binding));
        }
        let config_maps = strict::endpoint(client, &config_map("any")).await?;
        Ok(Self { names, of_routes, bindings: found, config_maps })
    }

    /// The chart's policies, by name.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Those that judge HTTPRoutes.
    pub fn of_routes(&self) -> &[String] {
        &self.of_routes
    }

    /// Binds or unbinds all of them, and waits until the API server works by that.
    ///
    /// It reads policies and bindings in the order of their writes, and takes what it read into use at once: so all are on
    /// or off when those of this module are, which are written last.
    ///
    /// # Errors
    /// When the API server refuses, or does not follow in time.
    pub async fn switch(&self, on: bool) -> Result<()> {
        for (api, binding) in &self.bindings {
            bind(api, binding, on).await?;
        }
        self.wait_until(on).await
    }

    /// Binds one policy of the chart, and beside it only those that mutate: without a parent, others refuse a route.
    ///
    /// # Errors
    /// As [`Guards::switch`].
    pub async fn only(&self, policy: &str) -> Result<()> {
        self.switch(false).await?;
        for (api, binding) in &self.bindings {
            if let Some(bound) = binding["spec"]["policyName"].as_str()
                && (bound == policy || bound == CANARY || manifest::kind(binding).starts_with("Mutating"))
            {
                bind(api, binding, true).await?;
            }
        }
        self.wait_until(true).await
    }

    async fn wait_until(&self, on: bool) -> Result<()> {
        let since = Instant::now();
        while self.validates().await? != on || self.mutates().await? != on {
            if since.elapsed() > LIMIT {
                return Err(Error::NotInTime {
                    what: format!("the policies are {}", if on { "on" } else { "off" }),
                    waited: since.elapsed(),
                    state: format!("the canary {CANARY} is not"),
                });
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    async fn validates(&self) -> Result<bool> {
        match self.tried(CANARY).await {
            Ok(_) => Ok(false),
            Err(error) if error.api_message().contains(CANARY) && error.code() != Some(404) => Ok(true),
            Err(error) => Err(error),
        }
    }

    async fn mutates(&self) -> Result<bool> {
        Ok(self.tried("octroi-guards-marked").await?.metadata.labels.is_some_and(|labels| labels.contains_key(CANARY)))
    }

    async fn tried(&self, name: &str) -> Result<DynamicObject> {
        let params = PatchParams::apply(CANARY).dry_run();
        let tried = self.config_maps.patch(name, &params, &Patch::Apply(config_map(name))).await;
        tried.map_err(Error::kube(format!("a dry run of ConfigMap {name}")))
    }
}

fn judges_routes(policy: &Value) -> bool {
    let rules = policy["spec"]["matchConstraints"]["resourceRules"].as_array().into_iter().flatten();
    rules.filter_map(|rule| rule["resources"].as_array()).flatten().any(|resource| resource == "httproutes")
}

async fn bind(api: &Api<DynamicObject>, binding: &Value, on: bool) -> Result<()> {
    let name = manifest::name(binding);
    let what = || Error::kube(format!("switching {}", strict::describe(binding)));
    if on {
        let params = PatchParams::apply(strict::MANAGER).force();
        return api.patch(name, &params, &Patch::Apply(binding)).await.map(drop).map_err(what());
    }
    match api.delete(name, &DeleteParams::default()).await {
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        deleted => deleted.map(drop).map_err(what()),
    }
}

/// The chart's policies and bindings, as Helm renders them.
async fn rendered() -> Result<Vec<Value>> {
    let helm = script::lab(&["bin", "helm"]).await?;
    let home = tempfile::tempdir().map_err(Error::io("a temporary folder"))?;
    let mut command = Command::new(helm);
    for part in ["CACHE", "CONFIG", "DATA"] {
        command.env(format!("HELM_{part}_HOME"), home.path().join(part));
    }
    command.args(["template", "octroi"]).arg(script::repository().join("charts/octroi"));
    command.args(["--namespace", "octroi-system", "--set", &format!("admission.breakGlassGroup={BREAK_GLASS}")]);
    let text = script::output(command).await?;
    let objects = manifest::parse(&text)?.into_iter().map(|document| document.object);
    let found: Vec<_> = objects.filter(|object| manifest::kind(object).contains("AdmissionPolicy")).collect();
    if found.is_empty() {
        return Err(Error::Failed {
            what: "rendering the chart".into(),
            detail: "it holds no admission policy".into(),
        });
    }
    Ok(found)
}

fn config_map(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default"}})
}

/// One of each kind: a ConfigMap that is refused, and a label that is set, while the policies are on.
fn canaries() -> [Value; 4] {
    let rules = json!([{
        "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"],
    }]);
    let object = |kind: &str, spec: Value| json!({"apiVersion": format!("{GROUP}/v1"), "kind": kind, "metadata": {"name": CANARY}, "spec": spec});
    let label = format!("Object{{metadata: Object.metadata{{labels: {{'{CANARY}': 'on'}}}}}}");
    [
        object(
            "ValidatingAdmissionPolicy",
            json!({
                "failurePolicy": "Fail", "matchConstraints": {"resourceRules": rules},
                "validations": [{"expression": format!("object.metadata.name != '{CANARY}'")}],
            }),
        ),
        object("ValidatingAdmissionPolicyBinding", json!({"policyName": CANARY, "validationActions": ["Deny"]})),
        object(
            "MutatingAdmissionPolicy",
            json!({
                "failurePolicy": "Fail", "matchConstraints": {"resourceRules": rules}, "reinvocationPolicy": "Never",
                "mutations": [{"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": label}}],
            }),
        ),
        object("MutatingAdmissionPolicyBinding", json!({"policyName": CANARY})),
    ]
}
