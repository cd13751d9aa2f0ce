//! Container images without a daemon and without a registry: an OCI archive that `ctr images import` reads.
//!
//! In: a name, files, and perhaps a layer made before. Out: the archive, written once from front to back, the same
//! bytes for the same input. Layers are not compressed: they never leave this machine.
//! Sources: the OCI image specification (image-layout, manifest, config), containerd's `io.containerd.image.name`.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// An image to be written.
#[derive(Debug, Clone)]
pub struct Image {
    /// The whole reference, `registry.local/evaljob-agent:e2e`.
    pub reference: String,
    /// A layer below the files, made before.
    pub base: Option<BaseLayer>,
    /// Programs: file of this machine, absolute path in the image. All are root's, 0755.
    pub programs: Vec<(PathBuf, &'static str)>,
    /// What runs; arguments of the container follow.
    pub entrypoint: Vec<&'static str>,
    /// `UID:GID` that runs it; absent: root.
    pub user: Option<&'static str>,
}

/// A tar file and its digest.
#[derive(Debug, Clone)]
pub struct BaseLayer {
    /// The file.
    pub path: PathBuf,
    /// SHA-256 of it, in hexadecimal.
    pub sha256: String,
}

impl Image {
    /// Writes the archive.
    ///
    /// # Errors
    /// A file cannot be read, or `out` cannot be written.
    pub fn write(&self, out: impl Write) -> Result<()> {
        let own = self.layer()?;
        let mut layers = Vec::new();
        if let Some(base) = &self.base {
            let size = fs::metadata(&base.path)
                .with_context(|| format!("cannot read {}", base.path.display()))?
                .len();
            layers.push((base.sha256.clone(), size));
        }
        layers.push((digest(&own), u64::try_from(own.len())?));
        let config = serde_json::to_vec(&self.config(&layers))?;
        let manifest = serde_json::to_vec(&manifest(&config, &layers))?;
        let index = serde_json::to_vec(&self.index(&manifest))?;
        let mut archive = Builder::new(out);
        file(
            &mut archive,
            "oci-layout",
            br#"{"imageLayoutVersion":"1.0.0"}"#,
        )?;
        file(&mut archive, "index.json", &index)?;
        for blob in [&manifest, &config] {
            file(&mut archive, &blob_path(&digest(blob)), blob)?;
        }
        if let Some(base) = &self.base {
            let layer = File::open(&base.path)?;
            let size = layer.metadata()?.len();
            entry(&mut archive, &blob_path(&base.sha256), 0o644, size, layer)?;
        }
        file(&mut archive, &blob_path(&digest(&own)), &own)?;
        archive.into_inner()?.flush().map_err(Into::into)
    }

    /// The layer with the programs, and /tmp: a mount point where the root is read-only.
    fn layer(&self) -> Result<Vec<u8>> {
        let mut layer = Builder::new(Vec::new());
        let mut header = Header::new_ustar();
        header.set_entry_type(EntryType::Directory);
        header.set_mode(0o1777);
        header.set_size(0);
        layer.append_data(&mut header, "tmp/", io::empty())?;
        for (source, path) in &self.programs {
            let program =
                File::open(source).with_context(|| format!("cannot read {}", source.display()))?;
            let size = program.metadata()?.len();
            entry(
                &mut layer,
                path.trim_start_matches('/'),
                0o755,
                size,
                program,
            )?;
        }
        layer.into_inner().map_err(Into::into)
    }

    fn config(&self, layers: &[(String, u64)]) -> Value {
        let diffs: Vec<String> = layers.iter().map(|(digest, _)| sha256(digest)).collect();
        let mut config = json!({"Entrypoint": self.entrypoint, "Env": ["PATH=/"]});
        if let Some(user) = self.user {
            config["User"] = user.into();
        }
        json!({
            "architecture": architecture(),
            "os": "linux",
            "config": config,
            "rootfs": {"type": "layers", "diff_ids": diffs},
        })
    }

    fn index(&self, manifest: &[u8]) -> Value {
        json!({
            "schemaVersion": 2,
            "mediaType": INDEX,
            "manifests": [{
                "mediaType": MANIFEST,
                "digest": sha256(&digest(manifest)),
                "size": manifest.len(),
                "annotations": {"io.containerd.image.name": self.reference},
            }],
        })
    }
}

fn manifest(config: &[u8], layers: &[(String, u64)]) -> Value {
    let layers: Vec<Value> = layers
        .iter()
        .map(|(digest, size)| json!({"mediaType": LAYER, "digest": sha256(digest), "size": size}))
        .collect();
    json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {"mediaType": CONFIG, "digest": sha256(&digest(config)), "size": config.len()},
        "layers": layers,
    })
}

/// As Go names this machine.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn sha256(digest: &str) -> String {
    format!("sha256:{digest}")
}

fn blob_path(digest: &str) -> String {
    format!("blobs/sha256/{digest}")
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn file<W: Write>(archive: &mut Builder<W>, path: &str, bytes: &[u8]) -> Result<()> {
    entry(archive, path, 0o644, u64::try_from(bytes.len())?, bytes)
}

/// A file without owner and time, so that equal input gives equal bytes.
fn entry<W: Write>(
    archive: &mut Builder<W>,
    path: &str,
    mode: u32,
    size: u64,
    data: impl Read,
) -> Result<()> {
    let mut header = Header::new_ustar();
    header.set_entry_type(EntryType::Regular);
    header.set_mode(mode);
    header.set_size(size);
    archive
        .append_data(&mut header, path, data)
        .with_context(|| format!("cannot write {path}"))
}

/// The layer that `node-agent/toolbox/build.sh` keeps in `directory`.
///
/// # Errors
/// It is not there.
pub fn toolbox_layer(directory: &Path) -> Result<BaseLayer> {
    let digest = directory.join("layer.sha256");
    let sha256 = fs::read_to_string(&digest)
        .with_context(|| format!("cannot read {} (hint: make toolbox)", digest.display()))?;
    Ok(BaseLayer {
        path: directory.join("layer.tar"),
        sha256: sha256.trim().to_owned(),
    })
}
