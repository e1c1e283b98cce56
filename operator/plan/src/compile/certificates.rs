//! Certificates by cert-manager, and the grant for the class's one. A key never lies in a namespace that a tenant can
//! read Secrets in.

use gateway_api::apis::standard::referencegrants::{
    ReferenceGrant, ReferenceGrantFrom, ReferenceGrantSpec, ReferenceGrantTo,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use octroi_api::{CertificateScope, labels};
use octroi_external::Object;
use octroi_external::cert_manager::{CertificateSpec, IssuerRef, PrivateKey};

use crate::child::{Child, ChildKey, Metadata};
use crate::compile::http01;
use crate::kind::ChildKind;
use crate::resolve::ResolvedTenant;
use crate::resolve::class::ResolvedClass;
use crate::resolve::hosts::{CertificateSource, ResolvedHost, SecretRef, class_wildcard_name};

/// The Certificates of a Tenant and, for a ClassWildcard, the grant to use the class's.
pub fn of_tenant(tenant: &ResolvedTenant, metadata: &Metadata) -> Vec<Child> {
    let mut children = Vec::new();
    let owned: Vec<&ResolvedHost> = tenant.owned_hosts().collect();
    let own: Vec<&ResolvedHost> =
        owned.iter().copied().filter(|h| h.certificate == CertificateSource::Tenant).collect();
    if let Some(first) = own.first() {
        children.extend(requested(tenant, &first.secret, &own, metadata));
    }
    for host in owned {
        match host.certificate {
            CertificateSource::Domain => children.extend(requested(tenant, &host.secret, &[host], metadata)),
            CertificateSource::Class => children.push(grant(tenant, &host.secret, metadata)),
            CertificateSource::Tenant | CertificateSource::Provided => {}
        }
    }
    children
}

/// The Certificate of these hosts, unless it has to wait for the issuer.
fn requested(
    tenant: &ResolvedTenant,
    secret: &SecretRef,
    hosts: &[&ResolvedHost],
    metadata: &Metadata,
) -> Option<Child> {
    let key = ChildKey::new(ChildKind::Certificate, &secret.namespace, &secret.name);
    if tenant.issuance.queued.contains_key(&key) {
        return None;
    }
    let mut metadata = metadata.of_child(&key);
    if hosts.iter().any(|host| host.is_proved_by_http()) {
        metadata.annotations = Some(http01::annotations(tenant));
    }
    Some(certificate(&key, metadata, hosts.iter().map(|h| h.host.to_string()).collect(), &tenant.class))
}

/// The wildcard certificate of a class that has one.
pub fn of_class(class: &ResolvedClass, metadata: &Metadata) -> Vec<Child> {
    if class.certificate == CertificateScope::PerTenant {
        return Vec::new();
    }
    let key = ChildKey::new(ChildKind::Certificate, labels::GATEWAYS_NAMESPACE, &class_wildcard_name(&class.name));
    vec![certificate(&key, metadata.of_child(&key), vec![format!("*.{}", class.base_domain)], class)]
}

fn certificate(key: &ChildKey, metadata: ObjectMeta, dns_names: Vec<String>, class: &ResolvedClass) -> Child {
    let issuer = class.issuer.clone();
    let spec = CertificateSpec {
        secret_name: key.name.clone(),
        dns_names,
        issuer_ref: IssuerRef {
            group: issuer.group.unwrap_or_default(),
            kind: issuer.kind.unwrap_or_default(),
            name: issuer.name,
        },
        private_key: PrivateKey { algorithm: "ECDSA", size: 256, rotation_policy: "Always" },
        usages: vec!["digital signature", "server auth"],
    };
    Child::new(key.clone(), &Object::new(metadata, spec))
}

fn grant(tenant: &ResolvedTenant, secret: &SecretRef, metadata: &Metadata) -> Child {
    // Named after what may refer: no two tenants share it, whatever they and their classes are called.
    let key = ChildKey::new(ChildKind::ReferenceGrant, &secret.namespace, &tenant.name.gateway_namespace());
    let spec = ReferenceGrantSpec {
        from: vec![ReferenceGrantFrom {
            group: super::GATEWAY_API.into(),
            kind: "ListenerSet".into(),
            namespace: tenant.name.gateway_namespace(),
        }],
        to: vec![ReferenceGrantTo { group: String::new(), kind: "Secret".into(), name: Some(secret.name.clone()) }],
    };
    let grant = ReferenceGrant { metadata: metadata.of_child(&key), spec };
    Child::new(key, &grant)
}
