//! The product's container images, as its Dockerfiles describe them, for nodes that pull nothing.
//!
//! In: the binaries and the toolbox's layer, both made before any namespace was entered. Out: images under the names
//! that the chart is told. What a Dockerfile says and what is written here is compared by a test.

use std::path::Path;

use anyhow::Result;

use crate::images::{self, Image};
use crate::programs;

/// Where no registry is: what is not imported is not found.
const REGISTRY: &str = "registry.local";
/// Names the registry from which the nodes of KUBECONFIG's cluster pull instead.
const IMAGES: &str = "EVALJOB_E2E_IMAGES";
/// Tag of operator and agent.
pub const TAG: &str = "e2e";

/// Tag of the agent's variant with the toolbox.
pub const TOOLBOX_TAG: &str = "e2e-toolbox";

/// Repository of an image of the product.
#[must_use]
pub fn repository(name: &str) -> String {
    let registry = std::env::var(IMAGES);
    format!("{}/{name}", registry.as_deref().unwrap_or(REGISTRY))
}

/// Reference of an image of the product.
#[must_use]
pub fn reference(name: &str, tag: &str) -> String {
    format!("{}:{tag}", repository(name))
}

/// `evaljob-operator`: one static file, as nobody.
///
/// # Errors
/// The binary is missing.
pub fn operator() -> Result<Image> {
    Ok(Image {
        reference: reference("evaljob-operator", TAG),
        base: None,
        programs: vec![(programs::product("evaljob-operator")?, "/evaljob-operator")],
        entrypoint: vec!["/evaljob-operator"],
        user: Some("65532:65532"),
    })
}

/// `evaljob-agent`: one static file, as root with the capabilities that the Pod gives.
///
/// # Errors
/// The binary is missing.
pub fn agent() -> Result<Image> {
    Ok(Image {
        reference: reference("evaljob-agent", TAG),
        base: None,
        programs: vec![(programs::product("evaljob-agent")?, "/evaljob-agent")],
        entrypoint: vec!["/evaljob-agent"],
        user: Some("0:0"),
    })
}

/// The variant with the toolbox: the agent above a Debian directory at /toolbox.
///
/// # Errors
/// The binary or the layer is missing.
pub fn agent_toolbox(toolbox: &Path) -> Result<Image> {
    Ok(Image {
        reference: reference("evaljob-agent", TOOLBOX_TAG),
        base: Some(images::toolbox_layer(toolbox)?),
        ..agent()?
    })
}
