//! What was enforced on a run, as read back from the kernel, and what ended it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the sandbox denied.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Denial {
    /// Layer that denied it, such as Seccomp.
    #[schemars(length(max = 64))]
    pub layer: String,

    /// The system call where it is known, else unknown.
    #[schemars(length(max = 256))]
    pub what: String,
}

/// What was enforced, as read back from the kernel before the program started.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Enforcement {
    /// Landlock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub landlock: Option<LandlockEnforcement>,

    /// Seccomp.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seccomp: Option<SeccompEnforcement>,

    /// Whether no program can gain rights by execve.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_new_privs: Option<bool>,

    /// Capabilities in any of the five sets; none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub capabilities: Option<String>,

    /// SECBIT flags, in hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub securebits: Option<String>,

    /// Namespaces of the run's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 32)))]
    pub namespaces: Vec<String>,

    /// The run's uid on the node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<i64>,

    /// Version of the cgroup hierarchy: v1 or v2.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub cgroup: Option<String>,

    /// Core dumps: off.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub core_dump: Option<String>,

    /// Who read it back: parent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub verified_by: Option<String>,
}

/// Landlock as enforced.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LandlockEnforcement {
    /// ABI of the kernel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub abi: Option<i32>,

    /// Handled file-system rights, in hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub fs: Option<String>,

    /// Handled network rights, in hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub net: Option<String>,

    /// Scopes, in hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub scoped: Option<String>,
}

/// Seccomp as enforced.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SeccompEnforcement {
    /// Profile above the floor.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub profile: Option<String>,

    /// Filters in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filters: Option<i32>,
}
