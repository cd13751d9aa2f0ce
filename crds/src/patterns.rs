//! Regular expressions of the schema, in the syntax that Go, Rust and JSON Schema share.
//!
//! Patterns cost the API server's CEL budget nothing, but their message shows only the expression: what people get
//! wrong often is a rule (`rules.rs`) instead. Validation has a predicate for each; tests hold both to one answer.

/// Names of volumes, steps, tests and groups: any text without control characters.
pub const NAME: &str = r"^[^\p{Cc}]+$";
/// Names that the administrator gives, and names of labels without prefix.
pub const WORD: &str = r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$";
/// A label's value.
pub const LABEL_VALUE: &str = r"^([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)?$";
/// Name of a ConfigMap.
pub const SUBDOMAIN: &str = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";
/// Key of a ConfigMap.
pub const CONFIG_MAP_KEY: &str = r"^[-._a-zA-Z0-9]+$";
/// Text that can be an argument or the value of a variable.
pub const NO_NUL: &str = r"^[^\x00]*$";
/// Name of a variable.
pub const VARIABLE: &str = r"^[^=\x00]+$";
/// Reference of an OCI image, as far as text can tell.
pub const IMAGE: &str = r"^[^\s\p{Cc}\p{Z}]+$";
/// Path of a file in an image: relative or absolute, no empty, `.` or `..` component, no control character.
pub const IMAGE_PATH: &str = r"^/?([^./\p{Cc}][^/\p{Cc}]*|\.[^./\p{Cc}][^/\p{Cc}]*|\.\.[^/\p{Cc}]+)(/([^./\p{Cc}][^/\p{Cc}]*|\.[^./\p{Cc}][^/\p{Cc}]*|\.\.[^/\p{Cc}]+))*$";
/// Base64 with padding; line breaks anywhere.
pub const BASE64: &str = r"^(([\r\n]*[A-Za-z0-9+/]){4})*(([\r\n]*[A-Za-z0-9+/]){2}([\r\n]*=){2}|([\r\n]*[A-Za-z0-9+/]){3}[\r\n]*=)?[\r\n]*$";
/// A tolerance: digits, one point, exponent.
pub const TOLERANCE: &str = r"^([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?$";
