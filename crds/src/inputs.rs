//! Values of ConfigMaps that a spec refers to: which ones, and whether their owner allows it.
//!
//! The operator may read every ConfigMap of every namespace, so a job must not be able to read what its author may
//! not: only ConfigMaps whose owner opted in are used. Nothing here talks to an API server.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::ConfigMap;

use crate::spec::{ConfigMapKeyRef, EvalJobSpec, InputSource};

/// Label with which the owner of a ConfigMap allows jobs of its namespace to read it; the value is `"true"`.
pub const INPUT_LABEL: &str = "evaljob.dev/input";

/// Why a reference has no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InputError {
    /// There is no such ConfigMap.
    #[error("ConfigMap {name:?} does not exist{place}", place = place(namespace.as_deref()))]
    NotFound {
        /// Its name.
        name: String,
        /// The job's namespace; `None` without a cluster.
        namespace: Option<String>,
    },
    /// Its owner did not opt in.
    #[error(
        "ConfigMap {name:?} must be immutable and carry the label {INPUT_LABEL}: \"true\" (hint: kubectl{flag} label configmap {name} {INPUT_LABEL}=true && kubectl{flag} patch configmap {name} --type=merge -p '{{\"immutable\":true}}')",
        flag = flag(namespace.as_deref())
    )]
    NotOptedIn {
        /// Its name.
        name: String,
        /// Its namespace.
        namespace: Option<String>,
    },
    /// It has no such key.
    #[error("ConfigMap {name:?} has no key {key:?}")]
    NoKey {
        /// Its name.
        name: String,
        /// The key.
        key: String,
    },
    /// Nobody read it.
    #[error("key {key:?} of ConfigMap {name:?} was not delivered")]
    NotDelivered {
        /// Its name.
        name: String,
        /// The key.
        key: String,
    },
}

fn place(namespace: Option<&str>) -> String {
    namespace.map_or_else(
        || " among the documents (hint: add it to the same file)".to_owned(),
        |namespace| format!(" in namespace {namespace:?}"),
    )
}

fn flag(namespace: Option<&str>) -> String {
    namespace.map_or_else(String::new, |namespace| format!(" -n {namespace}"))
}

/// What was found for each reference.
#[derive(Debug, Clone, Default)]
pub struct Inputs {
    values: BTreeMap<ConfigMapKeyRef, Result<Vec<u8>, InputError>>,
}

impl Inputs {
    /// Records what was found for a reference; the last record counts.
    pub fn insert(&mut self, reference: ConfigMapKeyRef, found: Result<Vec<u8>, InputError>) {
        self.values.insert(reference, found);
    }

    /// The value of a reference.
    ///
    /// # Errors
    /// What was recorded, or [`InputError::NotDelivered`].
    pub fn get(&self, reference: &ConfigMapKeyRef) -> Result<&[u8], InputError> {
        match self.values.get(reference) {
            Some(Ok(value)) => Ok(value),
            Some(Err(error)) => Err(error.clone()),
            None => Err(InputError::NotDelivered {
                name: reference.name.clone(),
                key: reference.key.clone(),
            }),
        }
    }

    /// References with their values, for sending them on; failures are left out.
    pub fn values(&self) -> impl Iterator<Item = (&ConfigMapKeyRef, &[u8])> {
        self.values
            .iter()
            .filter_map(|(reference, found)| Some((reference, found.as_deref().ok()?)))
    }
}

impl FromIterator<(ConfigMapKeyRef, Vec<u8>)> for Inputs {
    fn from_iter<T: IntoIterator<Item = (ConfigMapKeyRef, Vec<u8>)>>(values: T) -> Self {
        Self {
            values: values
                .into_iter()
                .map(|(reference, value)| (reference, Ok(value)))
                .collect(),
        }
    }
}

/// Every ConfigMap value that `spec` refers to, each once, sorted.
#[must_use]
pub fn references(spec: &EvalJobSpec) -> Vec<ConfigMapKeyRef> {
    let program = spec
        .checker
        .iter()
        .filter_map(|checker| checker.program.as_ref());
    let files = spec
        .files
        .iter()
        .chain(program.flat_map(|program| &program.files))
        .filter_map(|file| file.config_map_key_ref.as_ref());
    let of_tests = spec
        .tests
        .iter()
        .flat_map(|test| [&test.stdin_from, &test.expected_stdout_from]);
    let sources = of_tests
        .chain([&spec.stdin_from])
        .filter_map(|source: &Option<InputSource>| source.as_ref()?.config_map_key_ref.as_ref());
    let distinct: BTreeSet<&ConfigMapKeyRef> = files.chain(sources).collect();
    distinct.into_iter().cloned().collect()
}

/// Whether the owner of a ConfigMap allows jobs to read it: it is immutable and labelled.
///
/// # Errors
/// [`InputError::NotOptedIn`] with the two commands that change it.
pub fn opted_in(config_map: &ConfigMap) -> Result<(), InputError> {
    let labelled = config_map
        .metadata
        .labels
        .as_ref()
        .and_then(|labels| labels.get(INPUT_LABEL))
        .is_some_and(|value| value == "true");
    if labelled && config_map.immutable == Some(true) {
        return Ok(());
    }
    Err(InputError::NotOptedIn {
        name: config_map.metadata.name.clone().unwrap_or_default(),
        namespace: config_map.metadata.namespace.clone(),
    })
}

/// The value of `reference` in `config_map`, which is `None` when there is none of that name in `namespace`.
///
/// # Errors
/// The ConfigMap is absent, its owner did not opt in, or it has no such key.
pub fn read(
    reference: &ConfigMapKeyRef,
    namespace: Option<&str>,
    config_map: Option<&ConfigMap>,
) -> Result<Vec<u8>, InputError> {
    let config_map = config_map.ok_or_else(|| InputError::NotFound {
        name: reference.name.clone(),
        namespace: namespace.map(str::to_owned),
    })?;
    opted_in(config_map)?;
    let text = config_map
        .data
        .as_ref()
        .and_then(|data| data.get(&reference.key));
    let binary = config_map
        .binary_data
        .as_ref()
        .and_then(|data| data.get(&reference.key));
    match (text, binary) {
        (Some(text), _) => Ok(text.clone().into_bytes()),
        (None, Some(binary)) => Ok(binary.0.clone()),
        (None, None) => Err(InputError::NoKey {
            name: reference.name.clone(),
            key: reference.key.clone(),
        }),
    }
}
