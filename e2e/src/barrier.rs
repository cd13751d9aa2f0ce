//! Runs that wait for the test, whatever the machine's speed: each looks into a file of a node directory.
//!
//! A run sees the directory through an overlay, which notices what is written into a file but not a file that is new.
//!
//! Out: the flag that gives an agent the directory, the job that waits, and the opening.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::{Value, json};

use crate::case::Case;
use crate::traces;

/// A directory with empty files.
#[derive(Debug)]
pub struct Barrier {
    directory: PathBuf,
}

impl Barrier {
    /// Makes the directory with empty files of these names.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn new(case: &Case, names: &[&str]) -> Result<Self> {
        let name = format!("{}-barrier", case.namespace());
        let directory = case.cluster().directory().join(name);
        fs::create_dir(&directory)?;
        for name in names {
            fs::write(directory.join(name), "")?;
        }
        Ok(Self { directory })
    }

    /// Where it is.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// What an agent must be started with.
    #[must_use]
    pub fn agent_arguments(&self) -> [String; 2] {
        let directory = self.directory.display();
        ["--node-directory".into(), format!("barrier={directory}")]
    }

    /// A job that ends when `name` is opened.
    #[must_use]
    pub fn job(&self, name: &str) -> Value {
        json!({
            "command": ["sh", "-c", waits_for(name)],
            "volumes": [{"name": "barrier", "mountPath": "/barrier", "nodeDirectory": {"name": "barrier"}}],
            "limits": {"memory": "8Mi", "wallTimeMilliseconds": 600_000},
        })
    }

    /// Processes that wait for `name`.
    ///
    /// # Errors
    /// /proc cannot be read.
    pub fn waiting(&self, name: &str) -> Result<Vec<u32>> {
        traces::processes_with(&waits_for(name))
    }

    /// Lets those that wait for `name` go on, and later ones pass.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn open(&self, name: &str) -> Result<()> {
        fs::write(self.directory.join(name), "open\n").map_err(Into::into)
    }
}

/// A shell's way to wait: once a second, so that a hundred of them leave the machine to others.
fn waits_for(name: &str) -> String {
    format!("until [ -s /barrier/{name} ]; do sleep 1; done")
}
