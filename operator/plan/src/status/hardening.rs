//! Whether the data plane of a class is set up so that tenants stay apart. It warns the run team and stops nobody: what serves, serves on.

use octroi_api::conditions::{ConditionType, Reason, Verdict};

use super::{fails, holds, unknown};
use crate::hardening::{Finding, Grade, Seen};
use crate::resolve::class::{DataPlane, ResolvedClass};
use crate::world::World;

const KIND: ConditionType = ConditionType::DataPlaneHardened;

/// The verdict on the data plane of a class. What was not seen is never called good.
pub fn of(class: &ResolvedClass, world: &World) -> Verdict {
    let value = value_of(class.data_plane);
    let Some(plane) = world.control_planes.get(&class.data_plane) else {
        return unclear(format!(
            "nobody told the operator where the data plane's settings are: set {value} in the values of Octroi's chart"
        ));
    };
    let subject = &plane.subject;
    match &plane.seen {
        Seen::Absent => {
            unclear(format!("there is no {subject}: say where it is by {value} in the values of Octroi's chart"))
        }
        Seen::Refused(why) => unclear(format!(
            "{subject} cannot be read: {why}: install Octroi's chart of this version again (helm upgrade)"
        )),
        Seen::Judged { controller, findings } => match stranger(class, controller.as_deref(), world) {
            Some(whose) => unclear(format!(
                "{subject} {whose}: name the one of this class by {value} in the values of Octroi's chart, or run octroi doctor, which looks at all"
            )),
            None => judged(class, subject, findings, world),
        },
    }
}

fn value_of(data_plane: DataPlane) -> &'static str {
    match data_plane {
        DataPlane::EnvoyGateway => "dataPlanes.envoyGateway",
        DataPlane::Kgateway => "dataPlanes.kgateway",
    }
}

fn unclear(message: String) -> Verdict {
    unknown(KIND, Reason::SettingsUnknown, message)
}

/// Of several control planes of one kind, the operator knows one.
fn stranger(class: &ResolvedClass, controller: Option<&str>, world: &World) -> Option<String> {
    let wanted = &world.gateway_classes.get(&class.gateway_class_name)?.controller_name;
    let other = controller.filter(|controller| controller != wanted)?;
    Some(format!("is of controller '{other}', and GatewayClass '{}' of '{wanted}'", class.gateway_class_name))
}

fn judged(class: &ResolvedClass, subject: &str, findings: &[Finding], world: &World) -> Verdict {
    let mut bad = of_grade(findings, Grade::Bad);
    bad.extend(merging(class, world));
    if !bad.is_empty() {
        return fails(KIND, Reason::NotHardened, bad.join("; "));
    }
    let unknown = of_grade(findings, Grade::Unknown);
    if findings.is_empty() || !unknown.is_empty() {
        let why = if unknown.is_empty() { "holds no settings: look at it yourself".into() } else { unknown.join("; ") };
        return unclear(format!("{subject}: {why}"));
    }
    let advice = of_grade(findings, Grade::Unsure);
    if advice.is_empty() {
        return holds(KIND, format!("nothing in {subject} weakens tenants"));
    }
    holds(KIND, format!("nothing in {subject} lets tenants reach each other, but {}", advice.join("; ")))
}

fn of_grade(findings: &[Finding], grade: Grade) -> Vec<String> {
    let of_grade = findings.iter().filter(|finding| finding.grade == grade);
    of_grade.map(|finding| format!("{}: {}", finding.subject, finding.message)).collect()
}

/// Envoy Gateway heeds it in the EnvoyProxy of a GatewayClass alone.
fn merging(class: &ResolvedClass, world: &World) -> Option<String> {
    let proxy = world.gateway_classes.get(&class.gateway_class_name)?.envoy_proxy.as_ref()?;
    world.merging_proxies.contains(proxy).then(|| {
        let (namespace, name) = proxy;
        format!("EnvoyProxy {namespace}/{name}: mergeGateways puts all Gateways of its class on one proxy, a tenant's own among them: remove it")
    })
}
