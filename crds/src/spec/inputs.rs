//! What a job brings along: files, references to inputs, and the trees that are mounted.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::bounds;
use crate::patterns;

/// A file of the workspace. Exactly one of content, contentBase64 and configMapKeyRef is set.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct File {
    /// Path relative to /work: no empty, `.` or `..` component, no control character; at most 1024 bytes, 255 for
    /// a component.
    #[schemars(length(min = 1, max = bounds::PATH))]
    pub path: String,

    /// Content as text; at most 256 KiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = bounds::INLINE))]
    pub content: Option<String>,

    /// Content in base64; at most 256 KiB as encoded.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = bounds::INLINE), regex(pattern = patterns::BASE64))]
    pub content_base64: Option<String>,

    /// Content from a ConfigMap of the job's namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config_map_key_ref: Option<ConfigMapKeyRef>,

    /// Whether the file may be executed. Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub executable: Option<bool>,
}

/// One value of a ConfigMap in the job's namespace, which must be immutable and carry the label
/// `evaljob.dev/input: "true"`.
#[derive(
    Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub struct ConfigMapKeyRef {
    /// Name of the ConfigMap.
    #[schemars(length(min = 1, max = bounds::OBJECT_NAME), regex(pattern = patterns::SUBDOMAIN))]
    pub name: String,

    /// Key in its data or binaryData.
    #[schemars(length(min = 1, max = bounds::OBJECT_NAME), regex(pattern = patterns::CONFIG_MAP_KEY))]
    pub key: String,
}

/// One file of an OCI image.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImageFile {
    /// OCI reference of the image.
    #[schemars(length(min = 1, max = bounds::IMAGE), regex(pattern = patterns::IMAGE))]
    pub image: String,

    /// Path in the image, relative to its root or absolute: no empty, `.` or `..` component.
    #[schemars(length(min = 1, max = bounds::PATH), regex(pattern = patterns::IMAGE_PATH))]
    pub path: String,
}

/// Where bytes are read from. Exactly one of configMapKeyRef and imageFile is set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InputSource {
    /// One value of a ConfigMap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config_map_key_ref: Option<ConfigMapKeyRef>,

    /// One file of an OCI image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_file: Option<ImageFile>,
}

/// When an image is fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub enum ImagePullPolicy {
    /// The registry is asked each time.
    Always,
    /// Only when the node does not hold it.
    IfNotPresent,
    /// Never; the job fails where the node does not hold it.
    Never,
}

/// A read-only tree that runs see. Exactly one of nodeDirectory and image is set.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Volume {
    /// Name, unique in the job.
    #[schemars(length(min = 1, max = bounds::NAME), regex(pattern = patterns::NAME))]
    pub name: String,

    /// Where runs see it: an absolute path without empty, `.` or `..` components, not /, not /work /tmp /dev /proc
    /// /sys /home /etc or below them, not inside another volume's. It need not exist in the image.
    #[schemars(length(min = 1, max = bounds::PATH))]
    pub mount_path: String,

    /// Whether programs in it may be executed. Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub executable: Option<bool>,

    /// A directory of the node that its administrator named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_directory: Option<NodeDirectory>,

    /// The tree of an OCI image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageVolume>,
}

/// A directory of the node that its administrator named (agent flag --node-directory NAME=DIR).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeDirectory {
    /// The name, never a path.
    #[schemars(length(min = 1, max = bounds::NAME), regex(pattern = patterns::WORD))]
    pub name: String,
}

/// The tree of an OCI image.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImageVolume {
    /// OCI reference of the image.
    #[schemars(length(min = 1, max = bounds::IMAGE), regex(pattern = patterns::IMAGE))]
    pub reference: String,
}
