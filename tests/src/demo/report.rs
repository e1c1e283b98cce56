//! What the demo prints at its end.

use std::fmt;

use super::burst::Burst;
use super::edge::Edge;
use super::inventory::Kept;
use super::isolation::Isolation;
use super::split::Split;
use super::tenant::Served;
use crate::probe::rate::counted;

const HEAD: [&str; 7] = ["TENANT", "CLASS", "MODE", "URL", "CODE", "CERTIFICATE (ISSUER)", "FIRST 200"];

/// Everything that was seen.
pub struct Report {
    pub(super) served: Vec<Served>,
    /// How many Tenants were written, in how many lines.
    pub(super) written: (usize, usize),
    pub(super) kept: Kept,
    pub(super) split: Option<Split>,
    pub(super) edge: Option<Edge>,
    pub(super) burst: Option<Burst>,
    pub(super) isolation: Option<Isolation>,
    pub(super) shell_line: String,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows: Vec<_> = self.served.iter().map(row).collect();
        f.write_str(&table(&HEAD.map(String::from), &rows))?;
        let there: Vec<_> = self.served.iter().filter(|s| s.first.is_none()).map(|s| s.name.as_str()).collect();
        if !there.is_empty() {
            writeln!(f, "Already there: {}. FIRST 200 is measured when a Tenant is new.", there.join(", "))?;
        }
        let ((tenants, written), kept) = (self.written, self.kept);
        writeln!(
            f,
            "You wrote {tenants} Tenants, {} lines. Octroi keeps {} objects, {} lines.",
            grouped(written),
            grouped(kept.objects),
            grouped(kept.lines)
        )?;
        if let Some(Split { tenant, counts: [stable, canary] }) = &self.split {
            let total = stable + canary;
            writeln!(
                f,
                "As {tenant}'s developer:  90/10 split and header rewrite: {stable}/{canary} of {total} requests"
            )?;
        }
        if let Some(Edge { tenant, refused, accepted, queries }) = &self.edge {
            let (refused, accepted) = (refused.join(" and "), accepted.join(" and "));
            let queries = queries.map(|(query, code)| format!("?q={query} gets {code}")).join(", ");
            writeln!(f, "At {tenant}'s edge:  TLS {refused} refused, TLS {accepted} accepted; {queries}")?;
        }
        if let Some(Burst { tenant, requests, counts }) = &self.burst {
            writeln!(
                f,
                "A burst of {requests} requests, more than {tenant} is sold in a second:  {}",
                counted(counts)
            )?;
        }
        if let Some(isolation) = &self.isolation {
            trespasses(isolation, f)?;
        }
        self.next_steps(f)
    }
}

fn trespasses(seen: &Isolation, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    writeln!(f, "{}'s developer is refused:", seen.tenant)?;
    for (what, message) in &seen.refused {
        writeln!(f, "  {what}: {message}")?;
    }
    writeln!(
        f,
        "With the operator stopped: {} of {} refused; {} answers {} of 100",
        seen.refused_without_operator,
        seen.refused.len(),
        seen.neighbour,
        seen.answered_without_operator
    )?;
    writeln!(f, "A mistake in {}: {}", seen.tenant, seen.mistake)?;
    writeln!(f, "  beside it {} answers {} of 100", seen.neighbour, seen.answered_beside_mistake)
}

impl Report {
    fn next_steps(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(first) = self.served.first() else { return Ok(()) };
        write!(
            f,
            "Try: {} · kubectl get tenants · octroi render -f examples/classes -f examples/tenants/{}.yaml · curl --cacert {} --resolve {}:{} {}",
            self.shell_line,
            first.name,
            first.authority.display(),
            first.host,
            resolved(first),
            first.url
        )
    }
}

/// `PORT:ADDRESS`, as curl wants it.
fn resolved(served: &Served) -> String {
    let ip = served.address.ip();
    let ip = if ip.is_ipv6() { format!("[{ip}]") } else { ip.to_string() };
    format!("{}:{ip}", served.address.port())
}

fn row(served: &Served) -> [String; 7] {
    [
        served.name.clone(),
        served.class.clone(),
        served.mode.clone(),
        served.url.clone(),
        served.code.to_string(),
        format!("{} ({})", served.certificate, served.issuer),
        served.first.map_or_else(|| "-".into(), |first| format!("{:.1} s", first.as_secs_f64())),
    ]
}

/// Columns two blanks apart, the last one unpadded.
fn table<const N: usize>(head: &[String; N], rows: &[[String; N]]) -> String {
    let lines = || std::iter::once(head).chain(rows);
    let mut widths = [0; N];
    for line in lines() {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for line in lines() {
        let cells: Vec<_> = line.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// Thousands apart by commas.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_told_apart() {
        let shown = [7, 980, 1_180, 1_234_567].map(grouped);
        assert_eq!(shown, ["7", "980", "1,180", "1,234,567"]);
    }

    #[test]
    fn columns_line_up_and_no_line_ends_in_blanks() {
        let row = |cells: [&str; 3]| cells.map(String::from);
        let text =
            table(&row(["TENANT", "CODE", "FIRST 200"]), &[row(["acme", "200", "1.9 s"]), row(["a", "200", ""])]);
        assert_eq!(text, "TENANT  CODE  FIRST 200\nacme    200   1.9 s\na       200\n");
    }
}
