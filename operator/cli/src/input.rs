//! Files that a user names: Tenants, TenantClasses and GatewayClasses, as YAML.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use octroi_api::{GROUP, Tenant, TenantClass};
use octroi_plan::world::{GatewayClassView, World};
use serde_json::Value;

use crate::yaml;

/// GatewayClasses that the chart makes, for files that name none.
const CHART_CLASSES: [(&str, &str); 2] = [
    ("octroi-envoy-gateway", "gateway.envoyproxy.io/gatewayclass-controller"),
    ("octroi-kgateway", "kgateway.dev/kgateway"),
];

/// What was found in the files.
#[derive(Default)]
pub struct Input {
    /// Tenants, in the order of the files.
    pub tenants: Vec<Tenant>,
    /// TenantClasses.
    pub classes: Vec<TenantClass>,
    gateway_classes: Vec<(String, GatewayClassView)>,
}

impl Input {
    /// Reads files, and every `.yaml` and `.yml` of folders.
    ///
    /// # Errors
    /// When a file cannot be read, or something in it is not what it says.
    pub fn read(paths: &[PathBuf]) -> Result<Self> {
        let mut input = Self::default();
        for path in paths {
            for file in files(path)? {
                input.read_file(&file).with_context(|| format!("in {}", file.display()))?;
            }
        }
        Ok(input)
    }

    fn read_file(&mut self, file: &Path) -> Result<()> {
        let text = fs::read_to_string(file).context("cannot be read")?;
        for document in yaml::documents(&text)? {
            let group = document["apiVersion"].as_str().and_then(|v| v.split('/').next()).unwrap_or_default();
            match (group, document["kind"].as_str().unwrap_or_default()) {
                (GROUP, "Tenant") => self.tenants.push(yaml::typed(document)?),
                (GROUP, "TenantClass") => self.classes.push(yaml::typed(document)?),
                ("gateway.networking.k8s.io", "GatewayClass") => self.gateway_classes.push(gateway_class(&document)?),
                _ => {}
            }
        }
        Ok(())
    }

    /// Adds the classes to a world, and the chart's GatewayClasses where none is there.
    pub fn add_to(&self, world: &mut World) {
        for (name, controller) in CHART_CLASSES {
            let view = GatewayClassView::of(controller);
            world.gateway_classes.entry(name.into()).or_insert(view);
        }
        world.gateway_classes.extend(self.gateway_classes.iter().cloned());
        let named = |class: &TenantClass| (class.metadata.name.clone().unwrap_or_default(), class.clone());
        world.classes.extend(self.classes.iter().map(named));
    }
}

fn gateway_class(document: &Value) -> Result<(String, GatewayClassView)> {
    let text = |pointer: &str| document.pointer(pointer).and_then(Value::as_str).map(ToOwned::to_owned);
    let name = text("/metadata/name").context("a GatewayClass has no metadata.name")?;
    let controller_name = text("/spec/controllerName").context("a GatewayClass has no spec.controllerName")?;
    Ok((name, GatewayClassView::of(controller_name)))
}

fn files(path: &Path) -> Result<Vec<PathBuf>> {
    if !path.exists() {
        bail!("{} does not exist: name a file, or a folder of .yaml files", path.display());
    }
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let entries = fs::read_dir(path).with_context(|| format!("cannot read the folder {}", path.display()))?;
    let is_yaml = |p: &PathBuf| p.extension().is_some_and(|e| e == "yaml" || e == "yml");
    let mut found: Vec<PathBuf> = entries.filter_map(|e| Some(e.ok()?.path())).filter(is_yaml).collect();
    found.sort();
    Ok(found)
}
