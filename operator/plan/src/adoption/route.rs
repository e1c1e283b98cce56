//! Where a route may listen, attach and send, and what it may do to a message.

use octroi_api::names::Hostname;
use serde_json::Value;

use super::{GATEWAY, Rules, items, text};

/// What of it a tenant may not write.
pub(super) fn objection(object: &Value, kind: &str, rules: &Rules<'_>) -> Option<String> {
    let layer_4 = matches!(kind, "TCPRoute" | "UDPRoute");
    let of_hosts = if layer_4 { None } else { hosts(object, rules) };
    of_hosts
        .or_else(|| parents(object, layer_4, rules))
        .or_else(|| items(object, "/spec/rules").find_map(|rule| of_rule(rule, kind, rules)))
}

fn hosts(object: &Value, rules: &Rules<'_>) -> Option<String> {
    let hosts: Vec<&str> = items(object, "/spec/hostnames").filter_map(Value::as_str).collect();
    if hosts.is_empty() {
        return Some("it has no spec.hostnames; name hosts of the tenant's own".into());
    }
    let foreign = hosts.into_iter().find(|host| !rules.hosts.iter().any(|own| covers(own, host)))?;
    Some(format!("spec.hostnames has '{foreign}', which is not the tenant's; remove it, or list it in spec.domains"))
}

/// Whether an owned host, exact or a wildcard of one label, is or covers another.
fn covers(own: &str, host: &str) -> bool {
    if own == host {
        return Hostname::parse(host).is_ok();
    }
    let below = own.strip_prefix('*').and_then(|suffix| host.strip_suffix(suffix));
    below.is_some_and(|label| !label.contains('.') && label != "*") && Hostname::parse(host).is_ok()
}

fn parents(object: &Value, layer_4: bool, rules: &Rules<'_>) -> Option<String> {
    let entry = rules.tenant.gateway_namespace();
    let is_entry = |parent: &Value| {
        text(parent, "group").is_none_or(|group| group == GATEWAY)
            && text(parent, "kind") == Some("ListenerSet")
            && text(parent, "namespace") == Some(&entry)
            && text(parent, "name") == Some(rules.tenant.as_str())
    };
    let parents = || items(object, "/spec/parentRefs");
    if parents().any(|parent| !is_entry(parent)) {
        return Some(format!(
            "spec.parentRefs has another parent than ListenerSet {entry}/{}; remove it",
            rules.tenant
        ));
    }
    if parents().any(|parent| parent.get("port").is_some()) {
        return Some("spec.parentRefs has a port, and ports are the platform's; remove it".into());
    }
    let names_listener = |parent: &Value| text(parent, "sectionName").is_some_and(|name| !name.is_empty());
    if layer_4 && (parents().next().is_none() || !parents().all(names_listener)) {
        return Some("spec.parentRefs does not say which port it serves; name it by sectionName".into());
    }
    // Of the experimental channel.
    let attaches = object.pointer("/spec/useDefaultGateways").and_then(Value::as_str).is_some_and(|v| v != "None");
    attaches.then(|| "it has spec.useDefaultGateways; remove it".into())
}

fn of_rule(rule: &Value, kind: &str, rules: &Rules<'_>) -> Option<String> {
    let backends = || items(rule, "/backendRefs");
    let filters = || items(rule, "/filters").chain(backends().flat_map(|backend| items(backend, "/filters")));
    let mirrors = filters().filter_map(|filter| filter.pointer("/requestMirror/backendRef"));
    backends()
        .filter(|backend| !(kind == "HTTPRoute" && is_upstream(backend, rules)))
        .chain(mirrors)
        .find_map(|backend| of_backend(backend, rules))
        .or_else(|| filters().find_map(|filter| of_filter(filter, kind)))
}

/// What Octroi wrote for the tenant's own upstreams, and nobody else.
fn is_upstream(backend: &Value, rules: &Rules<'_>) -> bool {
    ["gateway.envoyproxy.io", "gateway.kgateway.dev"].map(Some).contains(&text(backend, "group"))
        && text(backend, "kind") == Some("Backend")
        && text(backend, "namespace") == Some(&rules.tenant.gateway_namespace())
}

fn of_backend(backend: &Value, rules: &Rules<'_>) -> Option<String> {
    let (group, kind) = (text(backend, "group").unwrap_or_default(), text(backend, "kind").unwrap_or("Service"));
    let name = text(backend, "name").unwrap_or_default();
    if !group.is_empty() || kind != "Service" {
        return Some(format!("it names backend '{name}' of kind {kind}; name a Service"));
    }
    let namespace = text(backend, "namespace").unwrap_or(rules.namespace);
    let is_own = namespace == rules.namespace || rules.may_name.contains(namespace);
    (!is_own).then(|| format!("it names backend '{name}' in another namespace; name a Service beside the route"))
}

const FILTERS: [&str; 6] =
    ["RequestHeaderModifier", "ResponseHeaderModifier", "RequestMirror", "RequestRedirect", "URLRewrite", "CORS"];
/// So many of them a route of another kind than HTTPRoute may have.
const FILTERS_OF_ALL: usize = 3;

fn of_filter(filter: &Value, kind: &str) -> Option<String> {
    let allowed = if kind == "HTTPRoute" { &FILTERS[..] } else { &FILTERS[..FILTERS_OF_ALL] };
    if let Some(foreign) = text(filter, "type").filter(|of_type| !allowed.contains(of_type)) {
        return Some(format!("it has a filter of type {foreign}, which tenants may not use; remove it"));
    }
    ["requestHeaderModifier", "responseHeaderModifier"]
        .into_iter()
        .filter_map(|field| filter.get(field))
        .find_map(of_modifier)
}

/// Both kinds of modifier are looked at, whatever the filter's type says.
fn of_modifier(modifier: &Value) -> Option<String> {
    let written = || items(modifier, "/set").chain(items(modifier, "/add"));
    let names = written().filter_map(|header| text(header, "name"));
    let removed = items(modifier, "/remove").filter_map(Value::as_str);
    if let Some(name) = names.chain(removed).find(|name| is_platform_header(name)) {
        return Some(format!(
            "a filter of it writes or removes header '{name}', which is the platform's; leave it out"
        ));
    }
    let command = written().find(|header| text(header, "value").is_some_and(is_command))?;
    let name = text(command, "name").unwrap_or_default();
    Some(format!("a filter of it writes a single % into header '{name}', which proxies read as a command; write %%"))
}

/// Headers that name the client or the platform, or are hop-by-hop, by which a message is cut in two (RFC 9110, section
/// 7.6.1).
fn is_platform_header(name: &str) -> bool {
    const PREFIXES: [&str; 4] = ["x-forwarded-", "x-envoy-", "x-octroi-", ":"];
    const NAMES: [&str; 11] = [
        "forwarded",
        "host",
        "strict-transport-security",
        "connection",
        "content-length",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ];
    let name = name.to_ascii_lowercase();
    PREFIXES.iter().any(|prefix| name.starts_with(prefix)) || NAMES.contains(&name.as_str())
}

/// Envoy reads what stands between two % as a command: an environment variable or a file of the proxy, for one.
fn is_command(value: &str) -> bool {
    value.replace("%%", "").contains('%')
}
