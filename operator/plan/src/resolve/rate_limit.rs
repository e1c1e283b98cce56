//! How many requests the edge takes for a tenant: what its class says, and what the tenant chooses within the class's maximum.

use octroi_api::{ClassRateLimit, RateLimit};

use crate::resolve::class::DataPlane;

/// How many requests the edge takes for a tenant in one second; `None` is any number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResolvedRateLimit {
    /// Of all clients together.
    pub tenant: Option<Rate>,
    /// Of one client address.
    pub client: Option<u32>,
}

/// A rate, and how much of it may come at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Requests in a second.
    pub per_second: u32,
    /// Requests at once after a quiet time; never below `per_second`.
    pub burst: u32,
}

/// A tenant's limits, and what its data plane makes less of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TenantsRateLimit {
    /// What holds.
    pub limit: ResolvedRateLimit,
    /// Its own fields that the data plane cannot do.
    pub unsupported: Vec<&'static str>,
}

/// What a class gives and allows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResolvedClassRateLimit {
    /// To a tenant that does not choose.
    default: ResolvedRateLimit,
    /// The most that a tenant may choose.
    max: ResolvedRateLimit,
}

/// The names of the fields that a data plane may not do, as they are in one place of the API.
struct Fields {
    tenant: &'static str,
    burst: &'static str,
    client: &'static str,
}

const OF_DEFAULT: Fields = Fields {
    tenant: "spec.rateLimit.default.requestsPerSecond over all hosts of a tenant",
    burst: "spec.rateLimit.default.burst",
    client: "spec.rateLimit.default.clientRequestsPerSecond",
};
const OF_MAX: Fields = Fields {
    tenant: "spec.rateLimit.max.requestsPerSecond over all hosts of a tenant",
    burst: "spec.rateLimit.max.burst",
    client: "spec.rateLimit.max.clientRequestsPerSecond",
};
const OF_TENANT: Fields = Fields {
    tenant: "spec.rateLimit.requestsPerSecond over all hosts of the tenant",
    burst: "spec.rateLimit.burst",
    client: "spec.rateLimit.clientRequestsPerSecond",
};

/// Fills in the defaults: each of the two stands in for the other where that says nothing.
pub fn of_class(said: Option<&ClassRateLimit>) -> ResolvedClassRateLimit {
    let said = said.cloned().unwrap_or_default();
    let (default, max) = (said.default.unwrap_or_default(), said.max.unwrap_or_default());
    let most = ResolvedRateLimit {
        tenant: rate(max)
            .map(|rate| Rate { burst: most_at_once(rate, max, default), ..rate })
            .or_else(|| rate(default)),
        client: client(max).or_else(|| client(default)),
    };
    let given = ResolvedRateLimit { tenant: rate(default).or(most.tenant), client: client(default).or(most.client) };
    ResolvedClassRateLimit { default: given, max: most }
}

/// A maximum that names no burst takes none from the default.
fn most_at_once(rate: Rate, max: RateLimit, default: RateLimit) -> u32 {
    if max.burst.is_some() { rate.burst } else { rate.burst.max(default.burst.map_or(0, count)) }
}

/// What the tenant chooses, up to the class's maximum; what it does not choose is the class's. What it asks for and does not get
/// is said in `clamped`.
pub fn of_tenant(
    said: Option<&RateLimit>,
    class: &ResolvedClassRateLimit,
    data_plane: DataPlane,
    clamped: &mut Vec<String>,
) -> TenantsRateLimit {
    let said = said.copied().unwrap_or_default();
    let tenant = rate(said).map(|wanted| {
        let Some(most) = class.max.tenant else { return wanted };
        let mut at_most = |field: &str, wanted: u32, most: u32| {
            if wanted > most {
                clamped.push(too_much(field, most));
            }
            wanted.min(most)
        };
        let per_second = at_most("requestsPerSecond", wanted.per_second, most.per_second);
        // A burst that nobody wrote follows the rate without a word.
        let burst = if said.burst.is_some() { at_most("burst", wanted.burst, most.burst) } else { per_second };
        Rate { per_second, burst }
    });
    let client = client(said).map(|wanted| match class.max.client {
        Some(most) if wanted > most => {
            clamped.push(too_much("clientRequestsPerSecond", most));
            most
        }
        _ => wanted,
    });
    let own = ResolvedRateLimit { tenant, client };
    let limit = ResolvedRateLimit { tenant: tenant.or(class.default.tenant), client: client.or(class.default.client) };
    TenantsRateLimit { limit, unsupported: beyond(&own, data_plane, &OF_TENANT) }
}

fn too_much(field: &str, most: u32) -> String {
    format!("spec.rateLimit.{field} is {most}, the most that the class allows: lower it to that, or remove it")
}

/// Fields of a class that are set and that the data plane cannot do.
pub fn unsupported(said: Option<&ClassRateLimit>, data_plane: DataPlane) -> Vec<&'static str> {
    let said = said.cloned().unwrap_or_default();
    let of = |limit: RateLimit| ResolvedRateLimit { tenant: rate(limit), client: client(limit) };
    let (default, max) = (of(said.default.unwrap_or_default()), of(said.max.unwrap_or_default()));
    let of_default = beyond(&default, data_plane, &OF_DEFAULT);
    // What the default does not say, the maximum says in its place.
    let stands_in = ResolvedRateLimit {
        tenant: max.tenant.filter(|_| default.tenant.is_none()),
        client: max.client.filter(|_| default.client.is_none()),
    };
    of_default.into_iter().chain(beyond(&stands_in, data_plane, &OF_MAX)).collect()
}

/// Envoy Gateway 1.9 counts in windows of a second, which know no burst. kgateway 2.4 counts in each listener, and knows no
/// clients: a limit in its own words there needs a service that the platform would have to configure beside it.
fn beyond(limit: &ResolvedRateLimit, data_plane: DataPlane, fields: &Fields) -> Vec<&'static str> {
    let named = match data_plane {
        DataPlane::EnvoyGateway => {
            [limit.tenant.filter(|rate| rate.burst > rate.per_second).map(|_| fields.burst), None]
        }
        DataPlane::Kgateway => [limit.tenant.map(|_| fields.tenant), limit.client.map(|_| fields.client)],
    };
    named.into_iter().flatten().collect()
}

fn rate(said: RateLimit) -> Option<Rate> {
    let per_second = count(said.requests_per_second?);
    Some(Rate { per_second, burst: said.burst.map_or(per_second, count).max(per_second) })
}

fn client(said: RateLimit) -> Option<u32> {
    said.client_requests_per_second.map(count)
}

/// The API server refuses what is below 1: none at all would be a tenant that is not served, which is said otherwise.
fn count(said: i32) -> u32 {
    u32::try_from(said).unwrap_or_default().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EG: DataPlane = DataPlane::EnvoyGateway;

    fn limit(tenant: Option<i32>, burst: Option<i32>, client: Option<i32>) -> RateLimit {
        RateLimit { requests_per_second: tenant, burst, client_requests_per_second: client }
    }

    fn class(default: Option<RateLimit>, max: Option<RateLimit>) -> ClassRateLimit {
        ClassRateLimit { default, max }
    }

    struct Chosen {
        limit: ResolvedRateLimit,
        clamped: Vec<String>,
    }

    fn chosen(class: &ClassRateLimit, tenant: Option<RateLimit>) -> Chosen {
        let mut clamped = Vec::new();
        let limit = of_tenant(tenant.as_ref(), &of_class(Some(class)), EG, &mut clamped).limit;
        Chosen { limit, clamped }
    }

    /// Requests in a second, burst, of one client; 0 for no limit.
    fn numbers(found: &Chosen) -> (u32, u32, u32) {
        let tenant = found.limit.tenant.map_or((0, 0), |rate| (rate.per_second, rate.burst));
        (tenant.0, tenant.1, found.limit.client.unwrap_or_default())
    }

    #[test]
    fn nobody_says_anything() {
        let found = of_tenant(None, &of_class(None), EG, &mut Vec::new());
        assert_eq!(found, TenantsRateLimit::default());
        assert_eq!(numbers(&chosen(&class(None, None), Some(RateLimit::default()))), (0, 0, 0));
    }

    #[test]
    fn a_tenant_that_chooses_nothing_has_what_the_class_gives() {
        let (some, more) = (limit(Some(10), Some(30), Some(5)), limit(Some(50), None, Some(8)));
        for (given, wanted) in [
            (class(Some(some), None), (10, 30, 5)),
            (class(Some(some), Some(more)), (10, 30, 5)),
            (class(None, Some(more)), (50, 50, 8)),
            (class(Some(limit(Some(10), None, None)), Some(more)), (10, 10, 8)),
        ] {
            let found = chosen(&given, None);
            assert_eq!(numbers(&found), wanted, "{given:?}");
            assert!(found.clamped.is_empty());
        }
    }

    #[test]
    fn a_tenant_may_lower_it_and_limit_itself_where_the_class_does_not() {
        let given = class(Some(limit(Some(100), Some(300), Some(50))), None);
        assert_eq!(numbers(&chosen(&given, Some(limit(Some(20), None, None)))), (20, 20, 50));
        assert_eq!(numbers(&chosen(&given, Some(limit(Some(20), Some(200), Some(5))))), (20, 200, 5));
        assert_eq!(numbers(&chosen(&class(None, None), Some(limit(Some(20), Some(40), Some(5))))), (20, 40, 5));
        assert_eq!(numbers(&chosen(&given, Some(limit(None, None, Some(1))))), (100, 300, 1));
    }

    #[test]
    fn a_tenant_may_raise_it_to_the_maximum_and_no_further() {
        let given = class(Some(limit(Some(10), None, Some(5))), Some(limit(Some(100), Some(200), Some(50))));
        let most = chosen(&given, Some(limit(Some(100), Some(200), Some(50))));
        assert_eq!((numbers(&most), most.clamped.len()), ((100, 200, 50), 0));
        let beyond = chosen(&given, Some(limit(Some(101), Some(201), Some(51))));
        assert_eq!(numbers(&beyond), (100, 200, 50));
        assert_eq!(beyond.clamped.len(), 3, "{:?}", beyond.clamped);
        assert_eq!(
            beyond.clamped[0],
            "spec.rateLimit.requestsPerSecond is 100, the most that the class allows: lower it to that, or remove it"
        );
    }

    #[test]
    fn without_a_maximum_the_default_is_the_most() {
        let given = class(Some(limit(Some(10), Some(40), Some(5))), None);
        let found = chosen(&given, Some(limit(Some(11), Some(41), Some(6))));
        assert_eq!((numbers(&found), found.clamped.len()), ((10, 40, 5), 3));
        let given = class(Some(limit(Some(10), Some(400), None)), Some(limit(Some(100), None, None)));
        let found = chosen(&given, Some(limit(Some(50), Some(400), None)));
        assert_eq!((numbers(&found), found.clamped.len()), ((50, 400, 0), 0), "what the default has is allowed");
    }

    #[test]
    fn a_maximum_that_is_lowered_takes_effect() {
        let asks = Some(limit(Some(80), None, None));
        let before = chosen(&class(None, Some(limit(Some(100), None, None))), asks);
        let after = chosen(&class(None, Some(limit(Some(60), None, None))), asks);
        assert_eq!((numbers(&before), before.clamped.len()), ((80, 80, 0), 0));
        assert_eq!((numbers(&after), after.clamped.len()), ((60, 60, 0), 1), "the burst that nobody wrote is no news");
    }

    #[test]
    fn nothing_stored_makes_a_limit_of_none_at_all() {
        let given = class(Some(limit(Some(0), Some(0), Some(-1))), None);
        assert_eq!(numbers(&chosen(&given, None)), (1, 1, 1));
        assert_eq!(numbers(&chosen(&class(None, None), Some(limit(Some(0), None, Some(0))))), (1, 1, 1));
    }

    #[test]
    fn what_a_data_plane_cannot_do_is_named_where_it_is_written() {
        let full = limit(Some(10), Some(20), Some(5));
        let of = |data_plane| of_tenant(Some(&full), &of_class(None), data_plane, &mut Vec::new()).unsupported;
        assert_eq!(of(EG), ["spec.rateLimit.burst"]);
        assert_eq!(of(DataPlane::Kgateway), [OF_TENANT.tenant, "spec.rateLimit.clientRequestsPerSecond"]);
        let level = limit(Some(10), Some(10), Some(5));
        assert!(of_tenant(Some(&level), &of_class(None), EG, &mut Vec::new()).unsupported.is_empty());
        assert!(
            of_tenant(None, &of_class(Some(&class(Some(full), None))), EG, &mut Vec::new()).unsupported.is_empty(),
            "the class says it"
        );

        let said = class(Some(full), Some(limit(Some(20), Some(40), Some(10))));
        assert_eq!(unsupported(Some(&said), EG), ["spec.rateLimit.default.burst"]);
        assert_eq!(unsupported(Some(&said), DataPlane::Kgateway), [OF_DEFAULT.tenant, OF_DEFAULT.client]);
        let said = class(Some(limit(None, None, Some(5))), Some(limit(Some(20), Some(40), Some(10))));
        assert_eq!(unsupported(Some(&said), EG), ["spec.rateLimit.max.burst"]);
        assert_eq!(unsupported(Some(&said), DataPlane::Kgateway), [OF_DEFAULT.client, OF_MAX.tenant]);
        assert!(unsupported(None, DataPlane::Kgateway).is_empty());
    }
}
