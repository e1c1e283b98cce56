//! The run team's part: classes and Tenants, from the files that a reader of the repository sees.

use std::path::PathBuf;
use std::time::Instant;

use kube::api::PatchParams;
use kube::{Api, Client};
use octroi_api::Tenant;
use serde_json::Value;

use crate::lab::{GATEWAY_CLASS_SETTING, Lab};
use crate::manifest::{self, Document};
use crate::{Error, Result, script, strict};

const MANAGER: &str = "run-team";
/// Names another folder with `classes` and `tenants`, for a cluster with domains and issuers of its own.
const EXAMPLES_SETTING: &str = "OCTROI_E2E_EXAMPLES";

/// What was applied.
pub(super) struct Applied {
    pub(super) classes: usize,
    pub(super) tenants: Vec<AppliedTenant>,
}

/// One Tenant that was applied.
pub(super) struct AppliedTenant {
    pub(super) name: String,
    /// The lines its author wrote.
    pub(super) lines: usize,
    /// When it was created; absent when it was there before.
    pub(super) created: Option<Instant>,
}

impl Applied {
    /// How many Tenants the reader wrote, in how many lines.
    pub(super) fn written(&self) -> (usize, usize) {
        (self.tenants.len(), self.tenants.iter().map(|tenant| tenant.lines).sum())
    }
}

/// Applies `examples/classes`, then `examples/tenants`.
pub(super) async fn apply_examples(lab: &Lab) -> Result<Applied> {
    let own = || script::repository().join("examples");
    let examples = std::env::var_os(EXAMPLES_SETTING).map_or_else(own, PathBuf::from);
    let client = lab.client().await?;
    let mut classes = 0;
    for mut document in manifest::read_all(&examples.join("classes"))? {
        choose_gateway_class(&mut document.object, lab);
        apply(&client, &document.object).await?;
        classes += usize::from(manifest::kind(&document.object) == "TenantClass");
    }
    let mut tenants = Vec::new();
    for document in manifest::read_all(&examples.join("tenants"))? {
        if manifest::kind(&document.object) == "Tenant" {
            tenants.push(apply_tenant(&client, &document).await?);
        } else {
            apply(&client, &document.object).await?;
        }
    }
    if tenants.is_empty() {
        return Err(Error::Missing {
            what: format!("there is no Tenant in {}", examples.join("tenants").display()),
            next: "add one, or restore the repository's own".into(),
        });
    }
    Ok(Applied { classes, tenants })
}

/// The same examples on another data plane, where one is named.
fn choose_gateway_class(object: &mut Value, lab: &Lab) {
    if manifest::kind(object) == "TenantClass" && std::env::var_os(GATEWAY_CLASS_SETTING).is_some() {
        object["spec"]["gateway"]["gatewayClassName"] = lab.gateway_class().into();
    }
}

async fn apply_tenant(client: &Client, document: &Document) -> Result<AppliedTenant> {
    let name = manifest::name(&document.object).to_owned();
    let found = Api::<Tenant>::all(client.clone()).get_opt(&name).await;
    let existed = found.map_err(Error::kube(format!("reading Tenant {name}")))?.is_some();
    let now = Instant::now();
    apply(client, &document.object).await?;
    Ok(AppliedTenant { name, lines: document.lines(), created: (!existed).then_some(now) })
}

async fn apply(client: &Client, object: &Value) -> Result<()> {
    let params = PatchParams::apply(MANAGER).force().validation_strict();
    match strict::apply(client, object, &params).await {
        Ok(_) => Ok(()),
        Err(error) if error.code() == Some(404) => Err(Error::Missing {
            what: format!("Octroi's CRDs are not on this cluster ({error})"),
            next: "helm install octroi charts/octroi -n octroi-system --create-namespace ('make demo' does it)".into(),
        }),
        Err(error) => Err(error),
    }
}
