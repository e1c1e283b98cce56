//! What the API server itself says of the time it spent, in seconds since it began.

use octroi_load::cpu;

use crate::light::LightLab;
use crate::{Error, Result};

const PLUGINS: &str = "apiserver_admission_controller_admission_duration_seconds_sum{";

/// Several clocks, read together.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Clocks {
    /// In the two plugins for admission policies.
    pub(super) plugins: f64,
    /// On a processor, with everything else that it does meanwhile: the one clock that a busy machine leaves alone.
    pub(super) processor: f64,
}

impl Clocks {
    pub(super) async fn read(lab: &LightLab) -> Result<Self> {
        let text = lab.metrics().await?;
        let ours = text.lines().filter(|line| {
            line.starts_with(PLUGINS)
                && matches!(label(line, "name"), Some("ValidatingAdmissionPolicy" | "MutatingAdmissionPolicy"))
        });
        let plugins = ours.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum();
        Ok(Self { plugins, processor: processor(lab)? })
    }

    /// Adds what passed between two readings.
    pub(super) fn add(&mut self, before: Self, after: Self) {
        self.plugins += after.plugins - before.plugins;
        self.processor += after.processor - before.processor;
    }

    /// For one of so many writes, in milliseconds.
    pub(super) fn of_one(self, writes: usize) -> Self {
        let writes = f64::from(u32::try_from(writes).unwrap_or(u32::MAX).max(1));
        Self { plugins: self.plugins * 1000.0 / writes, processor: self.processor * 1000.0 / writes }
    }
}

/// The value of a label of a line of metrics.
fn label<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let labels = line.split_once('{')?.1;
    let found =
        labels.split(',').find_map(|label| label.trim_start_matches('{').strip_prefix(name)?.strip_prefix("=\""));
    found?.split('"').next()
}

/// What the API server's process used, in user mode and in the kernel.
fn processor(lab: &LightLab) -> Result<f64> {
    let what = "the API server's processor time";
    let absent = || Error::Failed { what: what.into(), detail: "the kernel does not say".into() };
    let pid = lab.pids().get(1).copied().ok_or_else(absent)?;
    cpu::of_process(pid).ok_or_else(absent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_found_wherever_it_stands() {
        let line = r#"some_sum{name="ValidatingAdmissionPolicy",operation="CREATE",policy="octroi-route-hosts"} 1.5"#;
        assert_eq!(label(line, "name"), Some("ValidatingAdmissionPolicy"));
        assert_eq!(label(line, "policy"), Some("octroi-route-hosts"));
        assert_eq!(label(line, "pol"), None);
    }
}
