//! One tenant, from its developer's first apply to the first 200 of its own host.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use kube::Api;
use octroi_api::{GatewayMode, Member, MemberKind, MemberRole, Tenant, TenantStatus};
use serde_json::Value;

use super::setup::AppliedTenant;
use super::{LIMIT, backend, trust};
use crate::lab::Lab;
use crate::probe::{Ask, Probe};
use crate::tenant_user::TenantUser;
use crate::{Error, Result};

const POLL: Duration = Duration::from_millis(50);
const HTTPS: u16 = 443;

/// A tenant that answers.
pub struct Served {
    /// Its name.
    pub name: String,
    /// The class in force.
    pub class: String,
    /// Shared or Dedicated.
    pub mode: String,
    /// Where it answers.
    pub url: String,
    /// With what.
    pub code: u16,
    /// The name in the certificate that covers the host.
    pub certificate: String,
    /// Who signed it, in the certificate's own words.
    pub issuer: String,
    /// From the Tenant's creation to the first 200; absent when the Tenant was there before.
    pub first: Option<Duration>,
    pub(super) host: String,
    pub(super) namespace: String,
    pub(super) address: SocketAddr,
    pub(super) authority: PathBuf,
    pub(super) probe: Probe,
    pub(super) developer: TenantUser,
}

/// Deploys as the tenant's developer, and waits for the first 200.
pub(super) async fn serve(lab: &Lab, applied: &AppliedTenant) -> Result<Served> {
    let watched = Watched { tenants: Api::all(lab.client().await?), name: &applied.name, since: Instant::now() };
    let tenant = watched.get().await?;
    let developer = developer(lab, &tenant, &applied.name).await?;
    let namespace = tenant.spec.namespaces.first().map_or_else(|| applied.name.clone(), |first| first.name.clone());
    let (status, host) = watched.until("it has hosts", |status| Some((status.clone(), host(status)?))).await?;
    for object in backend::objects(&namespace, &host) {
        deploy(&watched, &developer, &object).await?;
    }

    let class = status.class_name.unwrap_or_default();
    let authority = trust::authority(&lab.client().await?, &class).await?;
    let probe = Probe::trusting(&authority)?;
    let (mode, address) = watched.until("its gateway has an address", entrance).await?;
    let address = resolve(&address).await?;
    let url = format!("https://{host}");
    let answered = probe.until_status(&Ask::get(&url, address)?, 200, watched.left()).await;
    let waited = match answered {
        Ok(waited) => waited,
        Err(error) => return Err(watched.late(&error.to_string()).await),
    };
    let tls = waited.answer.tls.unwrap_or_default();
    Ok(Served {
        name: applied.name.clone(),
        class,
        mode: format!("{mode:?}"),
        code: waited.answer.code,
        certificate: tls.name_for(&host).unwrap_or_default().to_owned(),
        issuer: tls.issuer,
        first: applied.created.map(|created| created.elapsed()),
        url,
        host,
        namespace,
        address,
        authority: trust::keep(&authority)?,
        probe,
        developer,
    })
}

/// `www` below the tenant's wildcard; its exact host where the class gives no wildcard.
fn host(status: &TenantStatus) -> Option<String> {
    let wildcard = status.domains.iter().find_map(|domain| domain.host.strip_prefix("*."));
    match wildcard {
        Some(above) => Some(format!("www.{above}")),
        None => status.domains.first().map(|domain| domain.host.clone()),
    }
}

/// Mode and address of its gateway, once there is an address.
fn entrance(status: &TenantStatus) -> Option<(GatewayMode, String)> {
    let gateway = status.gateway.as_ref()?;
    Some((gateway.mode, gateway.address.clone()?))
}

async fn developer(lab: &Lab, tenant: &Tenant, name: &str) -> Result<TenantUser> {
    let member = tenant.spec.members.iter().find(|member| member.role != Some(MemberRole::View));
    let member = member.ok_or_else(|| Error::Missing {
        what: format!("no member of Tenant {name} may write"),
        next: "add one to spec.members with role Edit".into(),
    })?;
    let (user, group) = identity(member, name);
    let groups: Vec<_> = group.iter().map(String::as_str).collect();
    Ok(TenantUser::with(lab.client_as(&user, &groups).await?))
}

/// The user and group of a member.
fn identity(member: &Member, tenant: &str) -> (String, Option<String>) {
    match member.kind {
        MemberKind::Group => (format!("{tenant}-dev"), Some(member.name.clone())),
        MemberKind::User => (member.name.clone(), None),
        MemberKind::ServiceAccount => (format!("system:serviceaccount:{}:{}", member.namespace, member.name), None),
    }
}

/// Rights and namespaces follow the Tenant a moment later: until then the developer is refused, and tries again.
async fn deploy(watched: &Watched<'_>, developer: &TenantUser, object: &Value) -> Result<()> {
    loop {
        match developer.apply(object).await {
            Ok(_) => return Ok(()),
            Err(error) if matches!(error.code(), Some(403 | 404)) => {
                if watched.left().is_zero() {
                    return Err(watched.late(&error.to_string()).await);
                }
                tokio::time::sleep(POLL).await;
            }
            Err(error) => return Err(error),
        }
    }
}

async fn resolve(address: &str) -> Result<SocketAddr> {
    let mut found =
        tokio::net::lookup_host((address, HTTPS)).await.map_err(Error::io(format!("the address {address}")))?;
    found.next().ok_or_else(|| Error::Failed {
        what: format!("the address {address}"),
        detail: "it resolves to nothing".into(),
    })
}

/// A Tenant whose status is waited for.
struct Watched<'a> {
    tenants: Api<Tenant>,
    name: &'a str,
    since: Instant,
}

impl Watched<'_> {
    async fn get(&self) -> Result<Tenant> {
        self.tenants.get(self.name).await.map_err(Error::kube(format!("reading Tenant {}", self.name)))
    }

    fn left(&self) -> Duration {
        LIMIT.saturating_sub(self.since.elapsed())
    }

    async fn until<T>(&self, what: &str, read: impl Fn(&TenantStatus) -> Option<T>) -> Result<T> {
        loop {
            if let Some(found) = self.get().await?.status.as_ref().and_then(&read) {
                return Ok(found);
            }
            if self.left().is_zero() {
                return Err(self.late(what).await);
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// What to show when the deadline passed: the Tenant knows more than we do.
    async fn late(&self, seen: &str) -> Error {
        let conditions = match self.get().await {
            Ok(tenant) => conditions(tenant.status.as_ref()),
            Err(error) => error.to_string(),
        };
        Error::NotInTime {
            what: format!("Tenant {} answers over HTTPS", self.name),
            waited: self.since.elapsed(),
            state: format!(
                "waiting for: {seen}\nits conditions:\n{conditions}\nnext: kubectl describe tenant {}; \
                 kubectl -n octroi-system logs deployment/octroi",
                self.name
            ),
        }
    }
}

fn conditions(status: Option<&TenantStatus>) -> String {
    let lines: Vec<_> = status
        .into_iter()
        .flat_map(|status| &status.conditions)
        .map(|c| format!("  {}={} ({}): {}", c.type_, c.status, c.reason, c.message))
        .collect();
    if lines.is_empty() { "  none: the operator has not seen it; does it run?".into() } else { lines.join("\n") }
}
