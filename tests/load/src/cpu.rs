//! The time that processes, and all of this machine, have had of its cores, by the kernel's own count.

use std::collections::BTreeMap;
use std::path::Path;

/// The kernel's unit (USER_HZ), on every machine that Linux runs on today: proc(5).
pub const TICKS_PER_SECOND: f64 = 100.0;

/// What has passed since the machine, or the process, began; in seconds of one core.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Clocks {
    /// Of all cores together, idle or not.
    pub whole: f64,
    /// Of all cores together, with nothing to do, or waiting for a disk.
    pub idle: f64,
    /// Of all processes with a name.
    pub named: BTreeMap<&'static str, f64>,
}

impl Clocks {
    /// Reads them, of the processes with these names; a name that nothing has is absent. Names are what `ps -o comm` shows.
    pub fn read(names: &[&'static str]) -> Self {
        let machine = std::fs::read_to_string("/proc/stat").unwrap_or_default();
        let (whole, idle) = machine_seconds(&machine).unwrap_or_default();
        Self { whole, idle, named: of_processes(names) }
    }

    /// From an earlier reading to this one. What began in between counts whole; what ended in between does not count.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        let passed = |name: &&'static str, now: f64| {
            let earlier = before.named.get(name).copied().unwrap_or_default();
            (*name, (now - earlier).max(0.0))
        };
        Self {
            whole: self.whole - before.whole,
            idle: self.idle - before.idle,
            named: self.named.iter().map(|(name, now)| passed(name, *now)).collect(),
        }
    }

    /// Which part of the machine had nothing to do, 0 to 1; no number when no time passed.
    pub fn idle_share(&self) -> f64 {
        if self.whole > 0.0 { self.idle / self.whole } else { f64::NAN }
    }
}

/// What one process has used, in user mode and in the kernel, in seconds; `None` when there is no such process.
pub fn of_process(pid: u32) -> Option<f64> {
    process(Path::new(&format!("/proc/{pid}/stat"))).map(|(_, seconds)| seconds)
}

fn of_processes(names: &[&'static str]) -> BTreeMap<&'static str, f64> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let is_process = entry.file_name().to_string_lossy().starts_with(|first: char| first.is_ascii_digit());
        // One that has ended meanwhile has nothing to read.
        let Some((comm, seconds)) = is_process.then(|| process(&entry.path().join("stat"))).flatten() else { continue };
        if let Some(name) = names.iter().find(|name| **name == comm) {
            *found.entry(*name).or_default() += seconds;
        }
    }
    found
}

fn process(stat: &Path) -> Option<(String, f64)> {
    process_seconds(&std::fs::read_to_string(stat).ok()?)
}

/// The name of the program, in brackets, may hold anything; user and system time are the 14th and 15th field.
fn process_seconds(stat: &str) -> Option<(String, f64)> {
    let (head, rest) = stat.rsplit_once(')')?;
    let (_, comm) = head.split_once('(')?;
    let ticks: Option<Vec<f64>> = rest.split_whitespace().skip(11).take(2).map(|field| field.parse().ok()).collect();
    let ticks = ticks.filter(|ticks| ticks.len() == 2)?;
    Some((comm.to_owned(), ticks.iter().sum::<f64>() / TICKS_PER_SECOND))
}

/// All, and idle with iowait. The fields after the eighth are guests, which count in the first two already.
fn machine_seconds(stat: &str) -> Option<(f64, f64)> {
    let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let ticks: Option<Vec<f64>> = line.split_whitespace().take(8).map(|field| field.parse().ok()).collect();
    let ticks = ticks.filter(|ticks| ticks.len() >= 5)?;
    let idle = ticks.get(3)? + ticks.get(4)?;
    Some((ticks.iter().sum::<f64>() / TICKS_PER_SECOND, idle / TICKS_PER_SECOND))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_read_whatever_its_name_is() {
        let rest = "S 1 1 1 0 -1 4194560 1 0 0 0 250 50 0 0 20 0 4 0 9 0 0";
        for name in ["envoy", "a) b (c", "kube apiserver"] {
            assert_eq!(process_seconds(&format!("7 ({name}) {rest}")), Some((name.to_owned(), 3.0)));
        }
        assert_eq!(process_seconds("7 (envoy) S 1 1"), None);
        assert_eq!(process_seconds(""), None);
    }

    #[test]
    fn the_machine_is_idle_also_while_it_waits_for_a_disk() {
        let stat = "cpu  100 0 100 700 100 0 0 0 50 0\ncpu0 1 1 1 1 1 1 1 1 1 1\n";
        assert_eq!(machine_seconds(stat), Some((10.0, 8.0)));
        assert_eq!(machine_seconds("cpu  1 2\n"), None);
        assert_eq!(machine_seconds("intr 1 2 3 4 5 6\n"), None);
    }

    #[test]
    fn what_passed_is_counted_of_what_is_there_at_the_end() {
        let clocks =
            |whole, idle, named: &[(&'static str, f64)]| Clocks { whole, idle, named: named.iter().copied().collect() };
        let before = clocks(100.0, 80.0, &[("envoy", 5.0), ("gone", 9.0)]);
        let after = clocks(110.0, 82.0, &[("envoy", 8.0), ("new", 1.0)]);
        let passed = after.since(&before);
        assert_eq!(passed, clocks(10.0, 2.0, &[("envoy", 3.0), ("new", 1.0)]));
        assert!((passed.idle_share() - 0.2).abs() < 1e-9);
        assert!(Clocks::default().idle_share().is_nan());
    }

    #[test]
    fn this_machine_and_this_process_can_be_read() {
        let clocks = Clocks::read(&[]);
        assert!(clocks.whole > 0.0 && clocks.idle <= clocks.whole, "{clocks:?}");
        assert!(of_process(std::process::id()).is_some());
        assert_eq!(of_process(u32::MAX), None);
    }
}
