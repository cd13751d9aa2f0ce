//! Why the sandbox refused: the layer that is missing, the cause, the way out.
//!
//! A [`SandboxError`] is always about this machine, never about the program: whoever gets one reports an
//! infrastructure failure and runs nothing with less protection. It crosses the socket, so it is plain data.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A layer of the sandbox, as conditions and `doctor` name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Layer {
    /// The processes that build sandboxes.
    Spawner,
    /// Kernel namespaces and id maps.
    Namespaces,
    /// Limits and accounting.
    Cgroup,
    /// Mounts of the run's root.
    Rootfs,
    /// The files and writable places of the job.
    Workspace,
    /// Network namespace.
    Network,
    /// Ids, signals, securebits, no_new_privs.
    Identity,
    /// File-system, network and scope rules.
    Landlock,
    /// System-call filters.
    Seccomp,
    /// Resource limits.
    Rlimits,
    /// Capability sets.
    Capabilities,
    /// Open descriptors.
    Descriptors,
    /// What the parent reads back before go.
    ReadBack,
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// A run could not be given its full protection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{layer}: {cause}{}", if .way_out.is_empty() { String::new() } else { format!(" (hint: {})", .way_out) })]
pub struct SandboxError {
    /// The layer that is missing or failed.
    pub layer: Layer,
    /// What failed, with names, values and errno.
    pub cause: String,
    /// What an administrator can do; empty where nothing is known.
    pub way_out: String,
}

impl SandboxError {
    pub(crate) fn new(layer: Layer, cause: impl Into<String>) -> Self {
        Self {
            layer,
            cause: cause.into(),
            way_out: String::new(),
        }
    }

    pub(crate) fn hint(mut self, way_out: impl Into<String>) -> Self {
        self.way_out = way_out.into();
        self
    }
}

impl From<crate::cgroup::CgroupError> for SandboxError {
    fn from(error: crate::cgroup::CgroupError) -> Self {
        Self::new(Layer::Cgroup, error.to_string())
    }
}

impl From<crate::frame::FrameError> for SandboxError {
    fn from(error: crate::frame::FrameError) -> Self {
        Self::new(Layer::Spawner, error.to_string())
    }
}

/// Adds the layer and the object to a failed system call.
pub(crate) trait Context<T> {
    /// `Err` becomes "cannot WHAT: errno".
    fn or_layer(self, layer: Layer, what: impl FnOnce() -> String) -> Result<T, SandboxError>;
}

impl<T, E: fmt::Display> Context<T> for Result<T, E> {
    fn or_layer(self, layer: Layer, what: impl FnOnce() -> String) -> Result<T, SandboxError> {
        self.map_err(|error| SandboxError::new(layer, format!("cannot {}: {error}", what())))
    }
}
