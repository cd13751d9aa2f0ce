//! Byte sizes as manifests write them: an integer, or text such as 256Mi.
//!
//! In: JSON integer or string. Out: the same, kept as written, and its value in whole bytes. A number is never
//! read as another one: fractions of a byte, signs and the suffixes below one (m, u, n) are refused.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// A size as written in a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Quantity {
    /// Bytes.
    Integer(i64),
    /// Digits with at most one point, and one of the suffixes Ki Mi Gi Ti Pi k M G T P.
    Text(String),
}

/// Why a [`Quantity`] is no size in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// It is not of the accepted form.
    #[error(
        "must be a whole number of bytes: an integer, or text such as 256Mi, 1.5Gi or 2G (suffixes Ki Mi Gi Ti Pi k M G T P)"
    )]
    Malformed,
    /// Its value is not a whole number.
    #[error(
        "must be a whole number of bytes, this is a fraction of one (hint: write it in a smaller unit)"
    )]
    Fraction,
    /// It does not fit in 63 bits.
    #[error("is larger than any size this system knows")]
    TooLarge,
}

/// Suffixes and their factors; the empty one last.
const SUFFIXES: [(&str, u64); 11] = [
    ("Ki", 1 << 10),
    ("Mi", 1 << 20),
    ("Gi", 1 << 30),
    ("Ti", 1 << 40),
    ("Pi", 1 << 50),
    ("k", 1_000),
    ("M", 1_000_000),
    ("G", 1_000_000_000),
    ("T", 1_000_000_000_000),
    ("P", 1_000_000_000_000_000),
    ("", 1),
];

impl Quantity {
    /// The size in bytes.
    ///
    /// # Errors
    /// [`QuantityError`] when it is malformed, a fraction of a byte, or too large.
    pub fn bytes(&self) -> Result<u64, QuantityError> {
        match self {
            Self::Integer(value) => u64::try_from(*value).map_err(|_| QuantityError::Malformed),
            Self::Text(text) => parse(text),
        }
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(value) => write!(f, "{value}"),
            Self::Text(text) => write!(f, "{text:?}"),
        }
    }
}

/// Parses the text form; exact, in integers only.
fn parse(text: &str) -> Result<u64, QuantityError> {
    let (number, factor) = SUFFIXES
        .iter()
        .find_map(|(suffix, factor)| text.strip_suffix(suffix).map(|number| (number, *factor)))
        .ok_or(QuantityError::Malformed)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || text.len() > 24 {
        return Err(QuantityError::Malformed);
    }
    let number = |part: &str| part.parse::<u128>().map_err(|_| QuantityError::TooLarge);
    let scale = u32::try_from(fraction.len())
        .ok()
        .and_then(|places| 10_u128.checked_pow(places))
        .ok_or(QuantityError::TooLarge)?;
    let scaled = number(fraction)?
        .checked_mul(u128::from(factor))
        .ok_or(QuantityError::TooLarge)?;
    if scaled % scale != 0 {
        return Err(QuantityError::Fraction);
    }
    number(whole)?
        .checked_mul(u128::from(factor))
        .and_then(|bytes| bytes.checked_add(scaled / scale))
        .and_then(|bytes| i64::try_from(bytes).ok())
        .and_then(|bytes| u64::try_from(bytes).ok())
        .ok_or(QuantityError::TooLarge)
}

impl JsonSchema for Quantity {
    fn schema_name() -> Cow<'static, str> {
        "Quantity".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "x-kubernetes-int-or-string": true,
            "anyOf": [{"type": "integer"}, {"type": "string"}],
            "maxLength": 24,
        })
    }
}

/// Bytes as the status writes them: whole KiB, rounded up, with the suffix Ki.
#[must_use]
pub fn kibibytes(bytes: u64) -> String {
    format!("{}Ki", bytes.div_ceil(1024))
}
