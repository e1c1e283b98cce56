//! Which requests are traced, and where their spans go.

use octroi_api::ClassObservability;

/// So many of 100 requests are traced where nobody says.
const DEFAULT_PERCENT: i32 = 1;

/// Which requests are traced, and where their spans go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvedTracing {
    /// Namespace of the collector's Service.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its port, and that of its pods.
    pub port: u16,
    /// So many of 100 requests.
    pub percent: u32,
}

impl ResolvedTracing {
    /// The collector's name in the DNS. With the dot at its end it is looked up as it is: without, a resolver first tries the name
    /// below the domains of the proxy's own namespace.
    pub fn host(&self) -> String {
        format!("{}.{}.svc.cluster.local.", self.name, self.namespace)
    }
}

/// Of a class; `None` where nothing is traced.
pub fn of_class(observability: Option<&ClassObservability>) -> Option<ResolvedTracing> {
    let tracing = observability?.tracing.as_ref()?;
    let percent = tracing.sampling_percent.unwrap_or(DEFAULT_PERCENT).clamp(0, 100);
    Some(ResolvedTracing {
        namespace: tracing.collector.namespace.clone(),
        name: tracing.collector.name.clone(),
        port: u16::try_from(tracing.collector.port).ok()?,
        percent: u32::try_from(percent).unwrap_or_default(),
    })
}
