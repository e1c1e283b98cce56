//! Ordinary requests, which must pass with the profile that a tenant has by default, and attacks, which must not: one of each kind in
//! every type of body and with every method that is allowed, since more of both are allowed than by the rule set itself.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::SystemTime;

use octroi_waf::{Profile, Request, RuleSet, Sources};

use crate::error::{Error, Result, invalid, unreadable};
use crate::exclusions;
use crate::ledger::{self, Missed, Refused};
use crate::regression::borrowed;
use crate::wire;

/// What separates two requests of a file; the rest of the line is the name of the next.
const NEXT: &str = "\n#### ";

/// What came of the requests.
pub struct Report {
    total: usize,
    refused: usize,
    attacks: usize,
    passing: usize,
    exclusions: exclusions::Report,
    problems: Vec<String>,
}

impl Report {
    /// Whether all is as the ledger says.
    pub fn is_good(&self) -> bool {
        self.problems.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.problems {
            writeln!(out, "  {problem}")?;
        }
        writeln!(out, "attacks: {} requests, {} pass", self.attacks, self.passing)?;
        writeln!(out, "{}", self.exclusions)?;
        write!(out, "ordinary requests: {} of {} refused", self.refused, self.total)
    }
}

/// Runs all requests against the ledger.
///
/// # Errors
/// When the rules or the requests cannot be read, or the engine fails.
pub fn run(coreruleset: &Path) -> Result<Report> {
    let rules = RuleSet::new(&Sources::read(&coreruleset.join("rules"))?)?;
    let mut requests = read(&ledger::folder().join("benign"))?;
    let known: BTreeMap<String, Refused> = ledger::read("benign-ledger.yaml")?;
    let mut exclusions = exclusions::run(&rules, &requests)?;
    requests.retain(|name, _| !exclusions.special.contains(name));
    let mut problems = std::mem::take(&mut exclusions.problems);
    let missing = known.keys().filter(|name| !requests.contains_key(*name));
    problems.extend(missing.map(|name| format!("{name}: there is no such ordinary request")));
    let helpless = known.keys().filter(|name| !exclusions.ordinary.contains(name));
    problems.extend(helpless.map(|name| format!("{name}: exclusions.yaml has nothing for it")));
    let mut refused = 0;
    for (name, bytes) in &requests {
        let ids = refusing(&rules, name, bytes, &Profile::default())?;
        refused += usize::from(ids.is_some());
        match (known.get(name), ids) {
            (None, None) => {}
            (Some(known), Some(ids)) if known.rules == ids => {}
            (Some(_), Some(ids)) => problems.push(format!("{name}: the ledger names other rules than {ids:?}")),
            (None, Some(ids)) => problems.push(format!("{name}: refused by {ids:?}")),
            (Some(_), None) => problems.push(format!("{name}: passes: take it off the ledger")),
        }
    }
    let (attacks, passing) = missed(&rules, &mut problems)?;
    Ok(Report { total: requests.len(), refused, attacks, passing, exclusions, problems })
}

/// How many attacks there are, and how many of them pass.
fn missed(rules: &RuleSet, problems: &mut Vec<String>) -> Result<(usize, usize)> {
    let attacks = read(&ledger::folder().join("attacks"))?;
    let known: BTreeMap<String, Missed> = ledger::read("attacks-ledger.yaml")?;
    let missing = known.keys().filter(|name| !attacks.contains_key(*name));
    problems.extend(missing.map(|name| format!("{name}: there is no such attack")));
    let mut passing = 0;
    for (name, bytes) in &attacks {
        let passes = refusing(rules, name, bytes, &Profile::default())?.is_none();
        passing += usize::from(passes);
        match (known.contains_key(name), passes) {
            (false, true) => problems.push(format!("{name}: passes")),
            (true, false) => problems.push(format!("{name}: is refused: take it off the ledger")),
            _ => {}
        }
    }
    Ok((attacks.len(), passing))
}

/// The rules that refuse a request, in their order, if it is refused.
///
/// # Errors
/// When the engine fails.
pub fn refusing(rules: &RuleSet, name: &str, bytes: &[u8], profile: &Profile) -> Result<Option<Vec<u32>>> {
    let request = wire::received(bytes);
    let headers = borrowed(&request.headers);
    let request = Request {
        client: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
        method: &request.method,
        target: &request.target,
        protocol: &request.protocol,
        headers: &headers,
        body: &request.body,
    };
    let verdict = rules
        .inspect(&request, profile, SystemTime::UNIX_EPOCH)
        .map_err(|source| Error::Inspect { test: name.to_owned(), source })?;
    let ids = || verdict.findings().rules.iter().map(|rule| rule.id).collect();
    Ok(verdict.is_block().then(ids))
}

/// All requests of a folder by their names: the file's, a slash, and its own.
///
/// # Errors
/// When one cannot be read, or a name is there twice.
pub fn read(folder: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(folder).map_err(unreadable(folder))? {
        let path = entry.map_err(unreadable(folder))?.path();
        let text = fs::read_to_string(&path).map_err(unreadable(&path))?;
        for (name, request) in requests(&text) {
            if all.insert(format!("{}/{name}", stem(&path)?), request).is_some() {
                return Err(invalid(&path, &format!("{name} is there twice")));
            }
        }
    }
    Ok(all)
}

fn stem(path: &Path) -> Result<&str> {
    path.file_stem().and_then(|stem| stem.to_str()).ok_or_else(|| invalid(path, &"its name is no text"))
}

/// The requests of a file, each with the name in its separator. Lines end as a text file's do: on the wire the head and multipart
/// bodies have carriage returns, and the length of the body is added.
fn requests(text: &str) -> Vec<(String, Vec<u8>)> {
    let text = format!("\n{}", text.strip_suffix('\n').unwrap_or(text));
    text.split(NEXT)
        .skip(1)
        .filter_map(|part| part.split_once('\n'))
        .map(|(name, text)| (name.into(), wired(text)))
        .collect()
}

fn wired(request: &str) -> Vec<u8> {
    let (head, body) = request.split_once("\n\n").unwrap_or((request.trim_end(), ""));
    let multipart = head.to_ascii_lowercase().contains("content-type: multipart/");
    let body = if multipart { format!("{body}\n").replace('\n', "\r\n") } else { body.to_owned() };
    let head = head.trim_end().replace('\n', "\r\n");
    let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    format!("{head}\r\n{length}\r\n{body}").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::requests;
    use crate::wire::received;

    #[test]
    fn a_file_is_cut_into_requests() {
        let text = "about\n#### one\nGET / HTTP/1.1\nHost: h\n\n#### two\nPOST /x HTTP/1.1\nHost: h\n\na=1\n#### three\n\
                    POST /y HTTP/1.1\nContent-Type: multipart/form-data; boundary=x\n\n--x--\n";
        let all = requests(text);
        let [one, two, three] = all.as_slice() else { panic!("{all:?}") };
        assert_eq!((one.0.as_str(), received(&one.1).body.len()), ("one", 0));
        assert_eq!(received(&two.1).body, b"a=1");
        assert_eq!(received(&two.1).header("content-length"), Some(&b"3"[..]));
        assert_eq!(received(&three.1).body, b"--x--\r\n");
    }
}
