//! `octroi doctor`: whether what Octroi stands on is set up so that its promises hold.

mod judge;

use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::Result;
use k8s_openapi::api::admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, ListParams};
use kube::{Client, Resource};
use octroi_api::TenantClass;
use octroi_plan::hardening::{Finding, judge as data_plane};
use serde::de::DeserializeOwned;

use crate::cluster::Cluster;
use crate::screen::{plain, width, wrapped};

/// Looks at the data planes, the firewall, the guards and the classes, and says what weakens them. Changes nothing. Ends with 1 when something
/// must be put right, or could not be looked at.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    cluster: Cluster,
}

/// Runs the command.
///
/// # Errors
/// When there is no cluster.
pub async fn run(args: &Args) -> Result<ExitCode> {
    let client = args.cluster.client().await?;
    let mut findings = Vec::new();
    findings.extend(data_planes(&client).await);
    findings.extend(firewall(&client).await);
    findings.extend(guards(&client).await);
    findings.extend(classes(&client).await);
    print!("{}", screen(&findings, width()));
    Ok(if findings.iter().any(Finding::must_be_put_right) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn data_planes(client: &Client) -> Vec<Finding> {
    let kgateways = list::<Deployment>(client, "Deployments of kgateway", "kgateway=kgateway").await;
    let mut findings = judge::each(kgateways, data_plane::kgateway);
    // The chart of Envoy Gateway gives the name; only the key in it is read.
    let configs =
        list::<ConfigMap>(client, "the configuration of Envoy Gateway", "app.kubernetes.io/name=gateway-helm");
    findings.extend(judge::each(configs.await, data_plane::envoy_gateway));
    findings.extend(judge::each(envoy_proxies(client).await, data_plane::envoy_proxy));
    findings
}

async fn firewall(client: &Client) -> Vec<Finding> {
    let label = format!("app.kubernetes.io/name={}", octroi_plan::compile::waf::SERVICE);
    let deployments = list::<Deployment>(client, "the firewall's Deployment", &label).await;
    deployments.map_or_else(|finding| vec![finding], |deployments| judge::firewall(deployments.first()))
}

async fn guards(client: &Client) -> Vec<Finding> {
    let policies = list::<ValidatingAdmissionPolicy>(client, "ValidatingAdmissionPolicies", "").await;
    let bindings = list::<ValidatingAdmissionPolicyBinding>(client, "ValidatingAdmissionPolicyBindings", "").await;
    match (policies, bindings) {
        (Ok(policies), Ok(bindings)) => judge::guards(&policies, &bindings),
        (Err(finding), _) | (_, Err(finding)) => vec![finding],
    }
}

async fn classes(client: &Client) -> Vec<Finding> {
    judge::each(list::<TenantClass>(client, "TenantClasses", "").await, judge::class)
}

async fn list<K>(client: &Client, what: &str, labels: &str) -> Result<Vec<K>, Finding>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug,
{
    let listed = Api::<K>::all(client.clone()).list(&ListParams::default().labels(labels)).await;
    listed.map(|list| list.items).map_err(|error| judge::unread(what, &error))
}

/// None where Envoy Gateway is not installed.
async fn envoy_proxies(client: &Client) -> Result<Vec<DynamicObject>, Finding> {
    let kind = GroupVersionKind::gvk("gateway.envoyproxy.io", "v1alpha1", "EnvoyProxy");
    let api = Api::<DynamicObject>::all_with(client.clone(), &ApiResource::from_gvk_with_plural(&kind, "envoyproxies"));
    match api.list(&ListParams::default()).await {
        Ok(list) => Ok(list.items),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(Vec::new()),
        Err(error) => Err(judge::unread("EnvoyProxies", &error)),
    }
}

/// How far messages are moved in.
const INDENT: usize = 6;

fn screen(findings: &[Finding], width: usize) -> String {
    let mut text = String::new();
    for finding in findings {
        let _ = writeln!(text, "{:<4}  {}", finding.grade.as_str(), plain(&finding.subject));
        text += &wrapped(&finding.message, INDENT, width);
    }
    text
}

#[cfg(test)]
mod tests {
    use octroi_plan::hardening::Grade;

    use super::*;

    #[test]
    fn what_is_wrong_stands_under_what_it_is_about() {
        let finding =
            |grade, subject: &str, message: &str| Finding { grade, subject: subject.into(), message: message.into() };
        let findings =
            [finding(Grade::Good, "guards", "all stand"), finding(Grade::Bad, "kgateway a/b", "set it: now")];
        assert_eq!(screen(&findings, 80), "ok    guards\n      all stand\nFAIL  kgateway a/b\n      set it: now\n");
    }
}
