//! The reference of the API, from the CustomResourceDefinitions, the reasons, the labels and the chart's roles.

use std::fmt::Write as _;

use octroi_api::conditions::{ConditionType, Reason};
use octroi_api::{crds, labels};
use serde_json::Value;

use crate::roles;

const CONDITIONS: [ConditionType; 7] = [
    ConditionType::Accepted,
    ConditionType::Ready,
    ConditionType::NamespacesReady,
    ConditionType::GatewayProgrammed,
    ConditionType::CertificatesReady,
    ConditionType::CapabilitiesSupported,
    ConditionType::DataPlaneHardened,
];

/// The schema of a kind; `None` for one that is not ours.
pub fn schema_of(kind: &str) -> Option<Value> {
    let crd = crds::all().into_iter().find(|file| file.crd.spec.names.kind == kind)?.crd;
    let value = serde_json::to_value(crd).unwrap();
    Some(value["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone())
}

/// The whole page.
pub fn page(intro: &str, rules: &str) -> String {
    let mut text = format!(
        "<!-- Generated from the CRDs, docs/tenant-api.intro.md and the chart. Do not edit; write it anew:\n     {} -->\n",
        crate::HOW
    );
    text += intro.trim_end();
    text += "\n\n";
    for (kind, parts) in [
        ("Tenant", &["spec", "status"][..]),
        ("TenantClass", &["spec", "status"]),
        ("DomainClaim", &["spec"]),
        ("PortClaim", &["spec"]),
    ] {
        text += &kind_section(kind, parts);
    }
    text += &conditions();
    text += "## Roles of members\n\nFrom the chart's ClusterRoles. \"read\" is get, list, watch; \"write\" is create, update, patch, delete,\ndeletecollection. What is not in the table, no member may do.\n\n";
    text += &roles::tables(rules);
    text += "\n";
    text += &names();
    text
}

fn kind_section(kind: &str, parts: &[&str]) -> String {
    let schema = schema_of(kind).unwrap();
    let mut text = format!("## {kind}\n\n{}\n\n", cell(&schema["description"]));
    let mut rules = Vec::new();
    own_rules(&schema, "", &mut rules);
    for part in parts {
        writeln!(text, "### {kind}.{part}\n").unwrap();
        text += "| field | type | default | bounds | what it is |\n|---|---|---|---|---|\n";
        let part_schema = &schema["properties"][part];
        own_rules(part_schema, part, &mut rules);
        fields(part_schema, part, &mut text, &mut rules);
        text += "\n";
    }
    if !rules.is_empty() {
        writeln!(
            text,
            "### Rules of {kind}\n\nChecked by the API server, at `kubectl apply`. The message is what the user gets.\n"
        )
        .unwrap();
        for (field, message) in rules {
            let field = if field.is_empty() { "the object".into() } else { format!("`{field}`") };
            writeln!(text, "- {field}: {message}").unwrap();
        }
        text += "\n";
    }
    text
}

fn fields(schema: &Value, at: &str, text: &mut String, rules: &mut Vec<(String, String)>) {
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let at = format!("{at}.{name}");
        let (description, default) = split_default(&cell(&field["description"]));
        let default = match (default, &field["default"]) {
            (Some(said), _) => said,
            (None, Value::Null) if at.starts_with("status") => String::new(),
            (None, Value::Null) if required.contains(&name.as_str()) => "**required**".into(),
            (None, Value::Null) => "none".into(),
            (None, Value::String(empty)) if empty.is_empty() => "empty".into(),
            (None, value) => format!("`{value}`"),
        };
        writeln!(text, "| `{at}` | {} | {default} | {} | {description} |", kind_of(field), bounds(field)).unwrap();
        own_rules(field, &at, rules);
        if name == "conditions" {
            continue;
        }
        let items = &field["items"];
        if items["type"] == "object" {
            own_rules(items, &format!("{at}[]"), rules);
            fields(items, &format!("{at}[]"), text, rules);
        } else if !items.is_null() {
            own_rules(items, &format!("{at}[]"), rules);
        }
        fields(field, &at, text, rules);
    }
}

fn own_rules(schema: &Value, at: &str, rules: &mut Vec<(String, String)>) {
    for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
        rules.push((at.to_owned(), rule["message"].as_str().unwrap_or_default().to_owned()));
    }
}

fn kind_of(field: &Value) -> String {
    let name = |schema: &Value| schema["type"].as_str().unwrap_or("any").to_owned();
    match field["type"].as_str() {
        Some("array") => format!("list of {}s", name(&field["items"])),
        Some("object") if !field["additionalProperties"].is_null() => {
            format!("map of {}s", name(&field["additionalProperties"]))
        }
        _ => name(field),
    }
}

fn bounds(field: &Value) -> String {
    let mut parts = Vec::new();
    let values: Vec<_> = field["enum"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if !values.is_empty() {
        parts.push(values.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(", "));
    }
    parts.extend(range(field, "minimum", "maximum", ""));
    parts.extend(range(field, "minLength", "maxLength", " characters"));
    parts.extend(range(field, "minItems", "maxItems", " items"));
    parts.extend(range(field, "minProperties", "maxProperties", " entries"));
    for inner in [&field["items"], &field["additionalProperties"]] {
        parts.extend(range(inner, "minLength", "maxLength", " characters each"));
    }
    parts.join("; ")
}

fn range(schema: &Value, lowest: &str, highest: &str, unit: &str) -> Option<String> {
    let number = |key: &str| schema[key].as_f64().map(|n| format!("{n}"));
    match (number(lowest), number(highest)) {
        (Some(low), Some(high)) => Some(format!("{low} to {high}{unit}")),
        (Some(low), None) => Some(format!("at least {low}{unit}")),
        (None, Some(high)) => Some(format!("at most {high}{unit}")),
        (None, None) => None,
    }
}

fn cell(text: &Value) -> String {
    text.as_str().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

/// A description says its default in a sentence of its own: "Default: Shared."
fn split_default(description: &str) -> (String, Option<String>) {
    let Some((before, rest)) = description.split_once("Default: ") else { return (description.into(), None) };
    // A dot inside a name, as in cert-manager.io or 1.2, ends no sentence.
    let end = rest.find(". ").unwrap_or_else(|| rest.trim_end_matches('.').len());
    let (default, after) = rest.split_at(end);
    let after = after.trim_start_matches('.').trim_start();
    (format!("{before}{after}").trim_end().to_owned(), Some(default.to_owned()))
}

fn conditions() -> String {
    let mut text = String::from(
        "## Conditions\n\nEach has `status` True or False, the `observedGeneration` it was judged for, a reason of the table below and a\nmessage with the next step. A TenantClass has `Accepted`, `Ready`, `CapabilitiesSupported` and\n`DataPlaneHardened`, which may be Unknown; a Tenant has all but the last.\n\n| type | True means |\n|---|---|\n",
    );
    for condition in CONDITIONS {
        writeln!(text, "| `{}` | {} |", condition.as_str(), holds(condition)).unwrap();
    }
    text += "\n## Reasons\n\nOne closed list. [What to do about each](operations.md#3-am-what-each-reason-asks-of-you).\n\n| reason | meaning |\n|---|---|\n";
    for reason in Reason::ALL {
        writeln!(text, "| `{}` | {} |", reason.as_str(), meaning(reason)).unwrap();
    }
    text += "\n";
    text
}

const fn holds(condition: ConditionType) -> &'static str {
    match condition {
        ConditionType::Accepted => "The spec is valid, and everything that it names may be had.",
        ConditionType::Ready => "Every object of this generation was seen in place, and every host is served.",
        ConditionType::NamespacesReady => "The tenant's namespaces are there, with their rights.",
        ConditionType::GatewayProgrammed => "The data plane serves the entry on the Gateway where it belongs.",
        ConditionType::CertificatesReady => "cert-manager issued every certificate that the entry needs.",
        ConditionType::CapabilitiesSupported => {
            "The data plane can do all that the TenantClass, or that the Tenant, asks of it. Where it is False, the rest is done."
        }
        ConditionType::DataPlaneHardened => {
            "Nothing in the data plane's own settings weakens what keeps tenants apart. A warning to the run team: where it is not True, tenants are served all the same."
        }
    }
}

const fn meaning(reason: Reason) -> &'static str {
    match reason {
        Reason::Ready => "As it should be.",
        Reason::Progressing => "On its way: another controller has still to act.",
        Reason::Invalid => "The spec contradicts itself, its class or the cluster.",
        Reason::Clamped => {
            "Something that the Tenant asks for is beyond what its class demands or allows; the class holds. Accepted stays True."
        }
        Reason::ClassNotFound => "The TenantClass does not exist, or none is named and none is the default.",
        Reason::ClassNotAccepted => "The TenantClass exists, and is not accepted itself.",
        Reason::HostTaken => "A host, or one that it overlaps with, belongs to somebody else.",
        Reason::HostNotOwned => "What a port takes is a host that is not the tenant's.",
        Reason::PortTaken => "A port of a shared gateway belongs to somebody else.",
        Reason::PortNotOffered => "The class does not offer a port, or not for that protocol.",
        Reason::UpstreamNotOffered => "The class does not offer an upstream of this kind, or not on this port.",
        Reason::NamespaceTaken => "A namespace exists, and is not this tenant's.",
        Reason::AdoptionRefused => "What is in a namespace that is to be adopted breaks the rules for tenants.",
        Reason::Held => "The tenant is Cordoned (Ready stays True) or Suspended (Ready is False).",
        Reason::MissingApi => "A CustomResourceDefinition that is needed is not installed.",
        Reason::NotProgrammed => "The data plane refuses the Gateway, the entry, one of its listeners or its policy.",
        Reason::CertificateNotReady => "cert-manager could not issue a certificate.",
        Reason::IssuanceQueued => "A certificate waits until its issuer may be asked for it.",
        Reason::DnsNotPointing => {
            "The certificate of a domain is not issued, and its DNS does not point at the tenant's gateway."
        }
        Reason::RenewalFailing => "A certificate serves, and its renewal is overdue.",
        Reason::GapNotAccepted => "A move to another Gateway waits for the annotation that accepts the gap.",
        Reason::ApplyFailed => "The API server refused a write of the operator, or did not answer.",
        Reason::Unsupported => "The data plane cannot do what the class or the Tenant asks of it.",
        Reason::NotHardened => "A setting of the data plane itself weakens what keeps tenants apart.",
        Reason::SettingsUnknown => "The settings of the data plane itself were not seen, so nobody knows.",
        Reason::Terminating => "Being deleted, or waiting for something that is.",
    }
}

fn names() -> String {
    let rows = [
        ("label", labels::TENANT, "every object of a tenant; its namespaces too", "Octroi"),
        (
            "annotation",
            labels::TENANT,
            "namespaces of a tenant, so that a label that was taken off is put back",
            "Octroi",
        ),
        ("label", labels::CLASS, "every object of a class", "Octroi"),
        ("label", labels::ROLE, "namespaces: `gateway` on `gw-<tenant>`, `tenant` on the tenant's own", "Octroi"),
        (
            "label",
            labels::STATE,
            "namespaces of a tenant: the state in force, `Active`, `Cordoned` or `Suspended`",
            "Octroi",
        ),
        ("annotation", labels::HOSTS, "the tenant's own namespaces: the hosts that its routes may name", "Octroi"),
        (
            "annotation",
            labels::BACKEND_NAMESPACES,
            "the tenant's own namespaces: the others that a `backendRef` may name, with `crossNamespace`",
            "Octroi",
        ),
        ("annotation", labels::ADOPTED, "a namespace that was there before its Tenant: `\"true\"`", "Octroi"),
        (
            "annotation",
            labels::HOLD,
            "Tenant: `Cordoned` or `Suspended`, whatever `spec.state` says; the stricter wins",
            "run team",
        ),
        ("annotation", labels::HOLD_REASON, "Tenant: why it is held", "run team"),
        ("annotation", labels::HOLD_UNTIL, "Tenant: when the hold ends by itself (RFC 3339)", "run team"),
        ("label", labels::MANAGED_BY, "every object that Octroi keeps: `octroi`. The watches select by it", "Octroi"),
        (
            "annotation",
            labels::DEFAULT_CLASS,
            "TenantClass: `\"true\"` makes it the one for Tenants that name none",
            "run team",
        ),
        (
            "annotation",
            labels::ACCEPT_GAP,
            "Tenant: `Shared` or `Dedicated`, the mode to which it may move",
            "run team",
        ),
        ("finalizer", labels::FINALIZER, "Tenants and TenantClasses", "Octroi"),
        ("field manager", labels::FIELD_MANAGER, "everything that Octroi applies", "Octroi"),
        ("field manager", labels::STATUS_MANAGER, "the status of Tenants and TenantClasses", "Octroi"),
    ];
    let mut text =
        String::from("## Labels, annotations and names\n\n| what | name | where | written by |\n|---|---|---|---|\n");
    for (what, name, place, by) in rows {
        writeln!(text, "| {what} | `{name}` | {place} | {by} |").unwrap();
    }
    write!(
        text,
        "\nOn the first read, a name may surprise: a wildcard host `*.acme.example` has the object name `wc--any.acme.example`\n([why](adr/0004-names-of-domain-claims.md)). Shared Gateways are in `{}`; what belongs to one tenant's edge is in\n`{}<tenant>`.\n",
        labels::GATEWAYS_NAMESPACE,
        labels::GATEWAY_NAMESPACE_PREFIX
    )
    .unwrap();
    text
}
