//! Lists of address ranges, and what is in two of them.

use ipnet::IpNet;

/// The ranges of a list; `None` when it is empty, which is all addresses.
pub(super) fn read(texts: &[String]) -> Result<Option<Vec<IpNet>>, String> {
    let ranges = texts.iter().map(|text| range(text)).collect::<Result<Vec<_>, _>>()?;
    Ok((!ranges.is_empty()).then_some(ranges))
}

/// The API server has judged it by the same rule; whoever plans without one is told too.
fn range(text: &str) -> Result<IpNet, String> {
    let range: IpNet = text.parse().map_err(|_| format!("'{text}' is no CIDR: write one, such as 203.0.113.0/24"))?;
    if range != range.trunc() {
        return Err(format!("'{text}' has host bits that are not 0: write {}", range.trunc()));
    }
    Ok(range)
}

/// As both data planes take it. kgateway's schema knows neither `::/0` nor an IPv4 address within an IPv6 one: IPv6 is written
/// out.
pub(super) fn written(range: &IpNet) -> String {
    match range {
        IpNet::V4(range) => range.to_string(),
        IpNet::V6(range) => {
            let groups: Vec<String> = range.addr().segments().iter().map(|group| format!("{group:x}")).collect();
            format!("{}/{}", groups.join(":"), range.prefix_len())
        }
    }
}

/// What is in both lists. Two ranges lie apart, or one holds the other.
pub(super) fn both(a: &[IpNet], b: &[IpNet]) -> Vec<IpNet> {
    let pairs = a.iter().flat_map(|x| b.iter().map(move |y| (x, y)));
    let common = pairs.filter_map(|(x, y)| match (x.contains(y), y.contains(x)) {
        (true, _) => Some(*y),
        (_, true) => Some(*x),
        _ => None,
    });
    let mut common: Vec<IpNet> = common.collect();
    common.sort();
    common.dedup();
    common
}
