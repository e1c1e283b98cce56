//! `octroi status`: all that is to be said of a Tenant, on one screen, from the Tenant alone.

use std::fmt::Write as _;

use anyhow::Result;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use kube::api::Api;
use octroi_api::{FailingItem, NamespacesStatus, RoutesStatus, Tenant, TenantState, TenantStatus};
use octroi_plan::resolve::state;

use crate::cluster::{self, Cluster};
use crate::hold;
use crate::screen::{plain, table, width, wrapped};

/// Prints the state of a Tenant: its hosts, namespaces and routes, and what to do where something is wrong.
#[derive(clap::Args)]
pub struct Args {
    /// The Tenant.
    #[arg(value_name = "TENANT")]
    name: String,
    #[command(flatten)]
    cluster: Cluster,
}

/// Runs the command.
///
/// # Errors
/// When there is no cluster or no such Tenant, or it may not be read.
pub async fn run(args: &Args) -> Result<()> {
    let api: Api<Tenant> = Api::all(args.cluster.client().await?);
    let tenant = cluster::tenant(&api, &args.name).await?;
    print!("{}", screen(&tenant, Timestamp::now(), width()));
    Ok(())
}

/// How far messages are moved in.
const INDENT: usize = 6;

/// The whole screen.
fn screen(tenant: &Tenant, now: Timestamp, width: usize) -> String {
    let mut text = format!("Tenant {}\n", tenant.name_any());
    let Some(status) = &tenant.status else {
        text += &summary(tenant, &TenantStatus::default(), now, width);
        text += "\nThe operator has not looked at it yet. Does it run? kubectl get leases -A\n";
        return text;
    };
    text += &summary(tenant, status, now, width);
    if status.observed_generation != tenant.metadata.generation {
        text += "\nThe Tenant was changed since: what follows is of the generation before.\n";
    }
    text += &hosts(status, width);
    text += &ports(status, width);
    text += &upstreams(status, width);
    text += &namespaces(status.namespaces.as_ref(), width);
    text += &routes(status.routes.as_ref(), width);
    text += &conditions(&status.conditions, width);
    text
}

fn summary(tenant: &Tenant, status: &TenantStatus, now: Timestamp, width: usize) -> String {
    let row = |name: &str, value: String| vec![name.to_owned(), plain(&value)];
    let class = status.class_name.clone().or(tenant.spec.class_name.clone());
    let mut rows = vec![row("class", class.unwrap_or_else(|| "not known yet".into()))];
    if let Some(gateway) = &status.gateway {
        let address = gateway.address.as_deref().unwrap_or("none yet");
        rows.push(row("gateway", format!("{}: {}/{}", gateway.mode.as_str(), gateway.namespace, gateway.name)));
        rows.push(row("address", address.to_owned()));
    }
    rows.extend(status.url.clone().map(|url| row("url", url)));
    rows.push(row("state", state_word(tenant, now)));
    if let Some(ready) = status.conditions.iter().find(|c| c.type_ == "Ready") {
        rows.push(row("ready", format!("{} ({})", ready.status, ready.reason)));
    }
    table(&rows) + &held(tenant, now, width)
}

fn state_word(tenant: &Tenant, now: Timestamp) -> String {
    match state::resolve(tenant, now) {
        Ok(resolved) => resolved.state.as_str().into(),
        Err(_) => "cannot be told".into(),
    }
}

/// Why it is held, and how that ends.
fn held(tenant: &Tenant, now: Timestamp, width: usize) -> String {
    let mut text = String::new();
    let resolved = match state::resolve(tenant, now) {
        Ok(resolved) => resolved,
        Err(refused) => return wrapped(&format!("{}: {}", refused.field, refused.message), INDENT, width),
    };
    if let Some(said) = &resolved.hold {
        let next = format!("{}. To end it: octroi resume {}", hold::in_words(said), tenant.name_any());
        text += &wrapped(&next, INDENT, width);
    }
    match tenant.spec.state {
        Some(state) if state != TenantState::Active => {
            let next =
                format!("spec.state says {}. To end it: {}", state.as_str(), hold::to_activate(&tenant.name_any()));
            text += &wrapped(&next, INDENT, width);
        }
        _ => {}
    }
    text
}

fn hosts(status: &TenantStatus, width: usize) -> String {
    if status.domains.is_empty() {
        return "\nHosts: none yet\n".into();
    }
    let ready = status.domains.iter().filter(|domain| domain.ready).count();
    let mut text = format!("\nHosts: {ready} of {} ready\n", status.domains.len());
    for domain in &status.domains {
        let _ = writeln!(text, "  {:<5}  {}", if domain.ready { "ready" } else { "-" }, plain(&domain.host));
        // Also of a host that is served: a certificate that is not renewed takes it away.
        if let Some(reason) = &domain.reason {
            let message = domain.message.as_deref().unwrap_or_default();
            text += &wrapped(&format!("{reason}: {message}"), INDENT, width);
        }
    }
    text
}

/// Nothing where there are none. Of a port that is ready the message says what does not look at it.
fn ports(status: &TenantStatus, width: usize) -> String {
    if status.layer4.is_empty() {
        return String::new();
    }
    let ready = status.layer4.iter().filter(|port| port.ready).count();
    let mut text = format!("\nPorts: {ready} of {} ready\n", status.layer4.len());
    for port in &status.layer4 {
        let word = if port.ready { "ready" } else { "-" };
        let _ = writeln!(text, "  {word:<5}  {} {}", plain(&port.name), port.port);
        let reason = port.reason.as_ref().map(|reason| format!("{reason}: ")).unwrap_or_default();
        text += &wrapped(&(reason + port.message.as_deref().unwrap_or_default()), INDENT, width);
    }
    text
}

/// Nothing where there are none.
fn upstreams(status: &TenantStatus, width: usize) -> String {
    if status.upstreams.is_empty() {
        return String::new();
    }
    let ready = status.upstreams.iter().filter(|upstream| upstream.ready).count();
    let mut text = format!("\nUpstreams: {ready} of {} ready\n", status.upstreams.len());
    for upstream in &status.upstreams {
        let word = if upstream.ready { "ready" } else { "-" };
        let target = upstream.target.as_deref().unwrap_or_default();
        let _ = writeln!(text, "{}", format!("  {word:<5}  {} {}", plain(&upstream.name), plain(target)).trim_end());
        if let Some(message) = &upstream.message {
            let reason = upstream.reason.as_ref().map(|reason| format!("{reason}: ")).unwrap_or_default();
            text += &wrapped(&(reason + message), INDENT, width);
        }
    }
    text
}

fn namespaces(status: Option<&NamespacesStatus>, width: usize) -> String {
    let Some(status) = status else { return "\nNamespaces: none yet\n".into() };
    format!("\nNamespaces: {} of {} ready\n", status.ready, status.desired) + &failing(&status.failing, width)
}

fn routes(status: Option<&RoutesStatus>, width: usize) -> String {
    let Some(status) = status else { return "\nRoutes: not counted yet\n".into() };
    let mut text = format!(
        "\nRoutes: {} accepted, {} rejected, {} suspended, {} pending\n",
        status.accepted, status.rejected, status.suspended, status.pending
    );
    text += &failing(&status.failing, width);
    let unlisted = usize::try_from(status.rejected).unwrap_or_default().saturating_sub(status.failing.len());
    if unlisted > 0 {
        let next = format!(
            "{unlisted} more are rejected; each has an Event: kubectl get events -n NAMESPACE --field-selector type=Warning"
        );
        text += &wrapped(&next, 2, width);
    }
    if status.pending > 0 {
        text += &wrapped("Pending: the data plane has not judged their present generation yet.", 2, width);
    }
    text
}

fn failing(items: &[FailingItem], width: usize) -> String {
    let mut text = String::new();
    for item in items {
        let _ = writeln!(text, "  {}  {}", plain(&item.name), plain(&item.reason));
        text += &wrapped(&item.message, INDENT, width);
    }
    text
}

fn conditions(conditions: &[Condition], width: usize) -> String {
    if conditions.is_empty() {
        return "\nConditions: none yet\n".into();
    }
    let mut text = String::new();
    for condition in conditions.iter().filter(|c| c.status != "True") {
        let _ = writeln!(text, "  {}  {}", plain(&condition.type_), plain(&condition.reason));
        text += &wrapped(&condition.message, INDENT, width);
    }
    if text.is_empty() {
        "\nConditions: all are True\n".into()
    } else {
        format!("\nConditions that are not True\n{text}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn tenant(metadata: &Value, spec: &Value, status: &Value) -> Tenant {
        let mut object = json!({"apiVersion": "octroi.dev/v1alpha1", "kind": "Tenant",
            "metadata": {"name": "acme", "generation": 2}, "spec": {"members": []}, "status": status});
        for (part, with) in [("metadata", metadata), ("spec", spec)] {
            for (field, value) in with.as_object().unwrap() {
                object[part][field] = value.clone();
            }
        }
        serde_json::from_value(object).unwrap()
    }

    fn condition(kind: &str, status: &str, reason: &str, message: &str) -> Value {
        json!({"type": kind, "status": status, "reason": reason, "message": message,
            "lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": 2})
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    const EVENING: &str = "2026-12-31T17:00:00Z";

    #[test]
    fn what_is_wrong_has_its_next_step_beside_it() {
        let hold = json!({"annotations": {"octroi.dev/hold": "Suspended", "octroi.dev/hold-reason": "phishing\u{1b}[2J",
            "octroi.dev/hold-until": "2026-12-31T18:00:00Z"}});
        let status = json!({
            "observedGeneration": 2, "className": "gold", "url": "https://acme.apps.test",
            "gateway": {"mode": "Shared", "name": "gold-0", "namespace": "octroi-gateways", "address": "192.0.2.10"},
            "domains": [
                {"host": "acme.apps.test", "ready": true},
                {"host": "shop.acme.example", "ready": false, "reason": "CertificateNotReady", "message": "cert-manager says no; see kubectl describe certificate -n gw-acme shop.acme.example"},
                {"host": "pay.acme.example", "ready": true, "certificateExpires": EVENING, "reason": "RenewalFailing", "message": "it serves until the evening"},
            ],
            "layer4": [
                {"name": "postgres", "port": 5432, "ready": false, "reason": "PortTaken", "message": "it belongs to somebody else: choose another one"},
                {"name": "mail", "port": 993, "ready": true, "message": "passed on as it comes"},
            ],
            "upstreams": [
                {"name": "crm", "target": "api.crm.example:443", "ready": true},
                {"name": "assets", "ready": false, "reason": "Invalid", "message": "s3 must name a region: write one"},
            ],
            "namespaces": {"desired": 2, "ready": 1, "failing": [{"name": "acme-prod", "reason": "Progressing", "message": "rolebindings acme-prod/octroi-edit is not in place yet"}]},
            "routes": {"accepted": 41, "rejected": 3, "suspended": 0, "pending": 2, "failing": [
                {"name": "HTTPRoute acme-prod/web", "reason": "HostnameNotOwned", "message": "spec.hostnames[0] 'x.test' is not the tenant's: use one of the tenant's own"}]},
            "conditions": [condition("Ready", "False", "CertificateNotReady", "shop.acme.example: no"), condition("Accepted", "True", "Ready", "fine")],
        });
        let wanted = "\
Tenant acme
  class    gold
  gateway  Shared: octroi-gateways/gold-0
  address  192.0.2.10
  url      https://acme.apps.test
  state    Suspended
  ready    False (CertificateNotReady)
      Suspended until 2026-12-31T18:00:00Z, because: phishing [2J. To
      end it: octroi resume acme

Hosts: 2 of 3 ready
  ready  acme.apps.test
  -      shop.acme.example
      CertificateNotReady: cert-manager says no; see kubectl describe
      certificate -n gw-acme shop.acme.example
  ready  pay.acme.example
      RenewalFailing: it serves until the evening

Ports: 1 of 2 ready
  -      postgres 5432
      PortTaken: it belongs to somebody else: choose another one
  ready  mail 993
      passed on as it comes

Upstreams: 1 of 2 ready
  ready  crm api.crm.example:443
  -      assets
      Invalid: s3 must name a region: write one

Namespaces: 1 of 2 ready
  acme-prod  Progressing
      rolebindings acme-prod/octroi-edit is not in place yet

Routes: 41 accepted, 3 rejected, 0 suspended, 2 pending
  HTTPRoute acme-prod/web  HostnameNotOwned
      spec.hostnames[0] 'x.test' is not the tenant's: use one of the
      tenant's own
  2 more are rejected; each has an Event: kubectl get events -n
  NAMESPACE --field-selector type=Warning
  Pending: the data plane has not judged their present generation yet.

Conditions that are not True
  Ready  CertificateNotReady
      shop.acme.example: no
";
        assert_eq!(screen(&tenant(&hold, &json!({}), &status), at(EVENING), 72), wanted);
    }

    #[test]
    fn a_tenant_that_nobody_looked_at_says_so() {
        let wanted = "\
Tenant acme
  class  not known yet
  state  Active

The operator has not looked at it yet. Does it run? kubectl get leases -A
";
        assert_eq!(screen(&tenant(&json!({}), &json!({}), &Value::Null), at(EVENING), 100), wanted);
    }

    #[test]
    fn an_old_status_an_unreadable_hold_and_a_state_in_the_spec_are_said() {
        let late = json!({"generation": 3, "annotations": {"octroi.dev/hold": "suspended"}});
        let said = screen(&tenant(&late, &json!({}), &json!({"observedGeneration": 2})), at(EVENING), 100);
        for part in
            ["state  cannot be told", "no state to hold a tenant in", "was changed since", "Routes: not counted yet"]
        {
            assert!(said.contains(part), "lacks {part:?}:\n{said}");
        }
        let status =
            json!({"observedGeneration": 2, "routes": {"accepted": 0, "rejected": 0, "suspended": 7, "pending": 0}});
        let said = screen(&tenant(&json!({}), &json!({"state": "Suspended"}), &status), at(EVENING), 100);
        for part in ["state  Suspended", "spec.state says Suspended", "7 suspended", "Conditions: none yet"] {
            assert!(said.contains(part), "lacks {part:?}:\n{said}");
        }
    }

    #[test]
    fn a_hold_that_has_ended_is_no_hold() {
        let hold = json!({"annotations": {"octroi.dev/hold": "Cordoned", "octroi.dev/hold-until": EVENING}});
        let said = screen(&tenant(&hold, &json!({}), &Value::Null), at("2026-12-31T17:00:01Z"), 100);
        assert!(said.contains("state  Active") && !said.contains("resume"), "{said}");
    }
}
