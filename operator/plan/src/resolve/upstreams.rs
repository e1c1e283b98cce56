//! What a Tenant's routes may reach outside the cluster, and why one of them may not be reached. What is wrong with one costs
//! that one only.
//!
//! A name says nothing of where it leads: whoever owns it may let it lead elsewhere at any time. So what is refused here is what
//! can be seen in the name; that a proxy connects to no address of the cluster is the network policy's
//! ([`crate::compile::network`]), and that nobody else answers is the certificate's ([`crate::compile::upstreams`]).

use std::collections::BTreeSet;

use octroi_api::conditions::Reason;
use octroi_api::names::{Hostname, TenantName};
use octroi_api::{ClassUpstreams, HttpsUpstream, LambdaUpstream, S3Upstream, TenantUpstream, UpstreamKind};

use crate::resolve::class::{DataPlane, ResolvedClass};
use crate::resolve::hosts::{ClaimState, ResolvedHost};
use crate::world::World;

/// The port of HTTPS (RFC 9110, section 4.2.2).
const HTTPS_PORT: u16 = 443;
/// Last labels of names that lead into a cluster, a private network or a cloud's metadata service: kept from the DNS by RFC 6761,
/// RFC 6762 (appendix G), RFC 8375 and ICANN. The CEL rule repeats them.
const PRIVATE: [&str; 12] = [
    "arpa",
    "corp",
    "home",
    "internal",
    "intranet",
    "lan",
    "local",
    "localdomain",
    "localhost",
    "pod",
    "private",
    "svc",
];
/// The version of a function that nobody named: what was written last.
const LATEST: &str = "$LATEST";

/// What a class offers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UpstreamOffer {
    /// Of these kinds.
    pub kinds: BTreeSet<UpstreamKind>,
    /// On these ports, of kind HTTPS.
    ports: BTreeSet<u16>,
}

impl UpstreamOffer {
    /// Every port that a proxy of the class may connect to.
    pub fn all_ports(&self) -> BTreeSet<u16> {
        let of_https = self.ports.iter().copied().filter(|_| self.kinds.contains(&UpstreamKind::Https));
        let of_aws = [UpstreamKind::S3, UpstreamKind::Lambda].iter().any(|kind| self.kinds.contains(kind));
        of_https.chain(of_aws.then_some(HTTPS_PORT)).collect()
    }
}

/// Something outside the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvedUpstream {
    /// What routes call it.
    pub name: String,
    /// The host that it stands for; empty where what is said makes none.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// What is called there, where it is a function of AWS Lambda.
    pub function: Option<Function>,
    /// Why no route may name it; `None` when one may.
    pub obstacle: Option<(Reason, String)>,
}

/// A function of AWS Lambda.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Where it is.
    pub region: String,
    /// The account that it is in.
    pub account: String,
    /// Its name.
    pub name: String,
    /// A version or an alias of it.
    pub qualifier: String,
    /// The Secret in `gw-<tenant>` with the credentials.
    pub secret: String,
}

impl ResolvedUpstream {
    /// Whether routes may name it.
    pub fn is_open(&self) -> bool {
        self.obstacle.is_none()
    }
}

/// What a class offers, of what its data plane can do.
pub fn offer(said: Option<&ClassUpstreams>, data_plane: DataPlane) -> UpstreamOffer {
    let Some(said) = said else { return UpstreamOffer::default() };
    let ports: BTreeSet<u16> = said.ports.iter().filter_map(|port| u16::try_from(*port).ok()).collect();
    let ports = if said.ports.is_empty() { BTreeSet::from([HTTPS_PORT]) } else { ports };
    let kinds = said.allowed.iter().copied().filter(|kind| can(data_plane, *kind));
    UpstreamOffer { kinds: kinds.collect(), ports }
}

/// Envoy Gateway 1.9 signs no requests.
fn can(data_plane: DataPlane, kind: UpstreamKind) -> bool {
    kind != UpstreamKind::Lambda || data_plane == DataPlane::Kgateway
}

/// Fields of a class that are set and that the data plane cannot do.
pub fn unsupported(said: Option<&ClassUpstreams>, data_plane: DataPlane) -> Option<&'static str> {
    let cannot = said.is_some_and(|said| said.allowed.iter().any(|kind| !can(data_plane, *kind)));
    cannot.then_some("spec.upstreams.allowed Lambda")
}

/// What of a Tenant's upstreams the data plane cannot do, as fields.
pub fn unsupported_of(said: &[ResolvedUpstream]) -> Vec<String> {
    let unsupported = |upstream: &&ResolvedUpstream| matches!(upstream.obstacle, Some((Reason::Unsupported, _)));
    said.iter().filter(unsupported).map(|upstream| format!("lambda of spec.upstreams[{}]", upstream.name)).collect()
}

/// The upstreams of a Tenant.
pub fn of_tenant(
    said: &[TenantUpstream],
    name: &TenantName,
    class: &ResolvedClass,
    hosts: &[ResolvedHost],
    world: &World,
) -> Vec<ResolvedUpstream> {
    let serves = |host: &Hostname| {
        let own = hosts.iter().filter(|own| own.claim != ClaimState::Taken);
        let below_a_class = world.classes.values().any(|class| host.is_within(&class.spec.base_domain));
        below_a_class
            || own.into_iter().any(|own| own.host.overlaps(host))
            || world.overlaps_foreign(host, name.as_str())
    };
    said.iter().map(|item| resolve(item, class, serves)).collect()
}

fn resolve(said: &TenantUpstream, class: &ResolvedClass, serves: impl Fn(&Hostname) -> bool) -> ResolvedUpstream {
    let none = |reason: Reason, message: String| ResolvedUpstream {
        name: said.name.clone(),
        host: String::new(),
        port: HTTPS_PORT,
        function: None,
        obstacle: Some((reason, message)),
    };
    let (kind, target) = match (&said.https, &said.s3, &said.lambda) {
        (Some(https), None, None) => (UpstreamKind::Https, of_https(https)),
        (None, Some(s3), None) => (UpstreamKind::S3, of_s3(s3)),
        (None, None, Some(lambda)) => (UpstreamKind::Lambda, of_lambda(lambda)),
        _ => return none(Reason::Invalid, "it must say one of https, s3 and lambda: write what it is".into()),
    };
    let (host, port) = match target {
        Ok(target) => target,
        Err(message) => return none(Reason::Invalid, message),
    };
    let obstacle = not_supported(kind, class).or_else(|| not_offered(kind, port, class)).or_else(|| {
        serves(&host).then(|| {
            let message = format!(
                "host '{host}' is one that this cluster serves, and a request could go round in it for ever: name the Service in the route"
            );
            (Reason::Invalid, message)
        })
    });
    let function = said.lambda.as_ref().map(function);
    ResolvedUpstream { name: said.name.clone(), host: host.as_str().into(), port, function, obstacle }
}

/// What the API server refuses as well.
fn of_https(said: &HttpsUpstream) -> Result<(Hostname, u16), String> {
    let host = Hostname::parse(&said.host).ok().filter(|host| !host.is_wildcard()).ok_or(
        "https.host must be a lower-case DNS name with a dot, and no address: write one such as api.crm.example",
    )?;
    if said.host.rsplit('.').next().is_some_and(|last| PRIVATE.contains(&last)) {
        return Err(format!(
            "host '{host}' is a name of a cluster or of a private network: name a host on the internet, and of the cluster a Service in the route"
        ));
    }
    let port = said.port.map_or(Ok(HTTPS_PORT), u16::try_from);
    Ok((host, port.map_err(|_| "https.port must be between 1 and 65535: correct it")?))
}

/// By the bucket's own name (virtual hosting): the certificate is for `*.s3.<region>.amazonaws.com`, one label and no more.
fn of_s3(said: &S3Upstream) -> Result<(Hostname, u16), String> {
    let S3Upstream { region, bucket } = said;
    let partition = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    let host = Hostname::parse(&format!("{bucket}.s3.{region}.{partition}")).ok();
    let host = host.filter(|host| !host.is_wildcard() && !bucket.contains('.') && !region.contains('.'));
    let message = "s3 must name a region and a bucket without dots: write such as {region: eu-west-3, bucket: assets}";
    Ok((host.ok_or(message)?, HTTPS_PORT))
}

/// The service of a region, where kgateway asks it. What the API server refuses as well is refused again, since each part becomes
/// one of the name that is signed for.
fn of_lambda(said: &LambdaUpstream) -> Result<(Hostname, u16), String> {
    let LambdaUpstream { region, account_id, function_name, qualifier, secret_name } = said;
    let mut parts = region.split('-');
    let letters = |part: Option<&str>| {
        part.is_some_and(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase()))
    };
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let (area, direction, number) = (parts.next(), parts.next(), parts.next());
    let is_known = letters(area) && letters(direction) && number.is_some_and(digits) && parts.next().is_none();
    if !is_known || region.find('-') != Some(2) || area == Some("cn") {
        return Err(format!(
            "region '{region}' is none that kgateway knows, which are those outside China, governments and the European Sovereign Cloud: write one such as eu-west-3, or name the function's URL by https"
        ));
    }
    if account_id.len() != 12 || !digits(account_id) {
        return Err("lambda.accountId must be the twelve digits of an account: write such as '123456789012'".into());
    }
    let is_word = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    if !is_word(function_name) {
        return Err("lambda.functionName must be the name of a function and no ARN: write such as thumbnails".into());
    }
    if qualifier.as_deref().is_some_and(|qualifier| qualifier != LATEST && !is_word(qualifier)) {
        return Err("lambda.qualifier must be a version or an alias: write such as live, or remove it".into());
    }
    if secret_name.is_empty() {
        return Err("lambda.secretName must name a Secret, since the proxy's own role is never used: write one".into());
    }
    let host = Hostname::parse(&format!("lambda.{region}.amazonaws.com"));
    Ok((host.map_err(|_| "lambda.region is too long: correct it")?, HTTPS_PORT))
}

fn function(said: &LambdaUpstream) -> Function {
    Function {
        region: said.region.clone(),
        account: said.account_id.clone(),
        name: said.function_name.clone(),
        qualifier: said.qualifier.clone().unwrap_or_else(|| LATEST.into()),
        secret: said.secret_name.clone(),
    }
}

fn not_supported(kind: UpstreamKind, class: &ResolvedClass) -> Option<(Reason, String)> {
    let message = format!(
        "the data plane of class '{}' signs no requests, so it calls no function of AWS Lambda: give the function a URL and name that by https, or name a class of kgateway; see docs/upstreams.md",
        class.name
    );
    (!can(class.data_plane, kind)).then_some((Reason::Unsupported, message))
}

fn not_offered(kind: UpstreamKind, port: u16, class: &ResolvedClass) -> Option<(Reason, String)> {
    let (offer, name, kind_name) = (&class.upstreams, &class.name, kind.as_str());
    let message = if !offer.kinds.contains(&kind) {
        format!("class '{name}' offers no upstreams of kind {kind_name}: remove it, or name a class that offers some")
    } else if kind == UpstreamKind::Https && !offer.ports.contains(&port) {
        let ports: Vec<String> = offer.ports.iter().map(ToString::to_string).collect();
        format!(
            "class '{name}' offers no upstreams on port {port}: choose one of {}, or name a class that offers it",
            ports.join(", ")
        )
    } else if class.network.outside.is_empty() {
        format!(
            "class '{name}' keeps everybody from the internet (namespaces.networkPolicy.egressExcept): remove it, or name a class that does not"
        )
    } else {
        return None;
    };
    Some((Reason::UpstreamNotOffered, message))
}
