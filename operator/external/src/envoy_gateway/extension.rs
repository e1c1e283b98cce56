//! `EnvoyExtensionPolicy`: services that the proxy asks about each request.

use serde::Serialize;

use super::API_VERSION;
use crate::{ServiceRef, Spec, TargetRef};

/// Services that the proxy asks about each request, in their order.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct EnvoyExtensionPolicySpec {
    /// What it is attached to.
    pub target_refs: Vec<TargetRef>,
    /// By ext_proc.
    pub ext_proc: Vec<ExtProc>,
}

impl Spec for EnvoyExtensionPolicySpec {
    const API_VERSION: &'static str = API_VERSION;
    const KIND: &'static str = "EnvoyExtensionPolicy";
}

/// A service that is asked by ext_proc.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct ExtProc {
    /// Where it is.
    pub backend_refs: Vec<WeightedServiceRef>,
    /// Whether requests pass while it has no answer.
    pub fail_open: bool,
    /// How long one answer may take.
    pub message_timeout: String,
    /// What it is sent.
    pub processing_mode: ProcessingMode,
}

/// A Service and its share.
#[derive(Serialize, Clone, Debug)]
pub struct WeightedServiceRef {
    /// Which.
    #[serde(flatten)]
    pub service: ServiceRef,
    /// Of the requests, beside the weights of the others.
    pub weight: u32,
}

/// What it is sent.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct ProcessingMode {
    /// Whether its answer may change what follows.
    pub allow_mode_override: bool,
    /// Of the request.
    pub request: Processed,
}

/// What it is sent of a message.
#[derive(Serialize, Clone, Debug)]
pub struct Processed {
    /// How the body comes.
    pub body: &'static str,
    /// What Envoy tells beside it.
    pub attributes: Vec<&'static str>,
}
